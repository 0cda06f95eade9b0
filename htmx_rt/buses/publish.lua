-- Give messages the next offsets, keep them in the log, and say where they stand: {epoch, offset of the first}.
-- KEYS  1 meta {epoch, head, last, bytes}  2 log  3 newest offset of each topic  4 marks on browsers
--       5 marks on topics  6… the states of the topic of each message that is a state
-- ARGV  1 an epoch in case there is none  2 a name of this batch  3 now, Unix seconds  4 window, messages
--       5 window, bytes  6 states a topic  7 topics remembered  8 marks remembered of each kind
--       9 life of a mark, seconds  10 life of all keys, ms
--       11… five a message: "m", topic, head, body, name of a state or ""
--           or five a mark: "browser" or "topic", what it is on, "", body, not-before
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last', 'bytes')
local epoch, head, last, bytes = meta[1], tonumber(meta[2]), meta[3], tonumber(meta[4]) or 0

local function begin(at)
  redis.call('DEL', KEYS[2], KEYS[3])
  epoch, head, last, bytes = ARGV[1], at, ARGV[1], 0
end

-- Each entry names its batch and that of the entry before: so a worker sees when history was written anew. All of it
-- is one field, because clients spend their time on the number of fields.
local function add(kind, topic, front, body, name)
  local packed = table.concat({ epoch, last, ARGV[2], kind, topic, name, #front, front .. body }, ' ')
  return redis.pcall('XADD', KEYS[2], string.format('%d-0', head + 1), 'e', packed), #packed
end

if not (epoch and head and last) then begin(0) end
local start, first, added, states, newest = head, nil, 0, 5, {}
for i = 11, #ARGV, 5 do
  local kind, topic, front, body, name = unpack(ARGV, i, i + 4)
  local is_message = kind == 'm'
  local function put()
    if is_message then return add('m', topic, front, body, name) end
    return add('x', '', '', body, '')
  end
  local answer, size = put()
  if type(answer) == 'table' and answer.err then
    -- Out of memory and read-only are for the caller, and met by the first message: nothing has been written then.
    -- A log that is ahead of its own head is a copy gone wrong.
    if first or not string.find(answer.err, 'equal or smaller') then return redis.error_reply(answer.err) end
    begin(head)
    start = head
    answer, size = put()
    if answer.err then return redis.error_reply(answer.err) end
  end
  head, last = head + 1, ARGV[2]
  first = first or head
  added = added + size
  if not is_message then
    local marks = kind == 'browser' and KEYS[4] or KEYS[5]
    redis.call('ZADD', marks, 'GT', name, topic)
    redis.call('ZREMRANGEBYSCORE', marks, 0, ARGV[3] - ARGV[9])
    redis.call('ZREMRANGEBYRANK', marks, 0, -1 - ARGV[8])
    redis.call('PEXPIRE', marks, ARGV[10])
  elseif name == '' then
    newest[topic] = head
  else
    states = states + 1
    local key = KEYS[states]
    redis.call('HSET', key, name, string.format('%s:%d:%d:%d:', epoch, head, ARGV[3], #front) .. front .. body)
    redis.call('PEXPIRE', key, ARGV[10])
    if redis.call('HLEN', key) > tonumber(ARGV[6]) then
      local all, oldest, least = redis.call('HGETALL', key), nil, nil
      for j = 1, #all, 2 do
        local era, at = string.match(all[j + 1], '^(%w+):(%d+):')
        at = era == epoch and tonumber(at) or 0  -- of an epoch that is over: the first to go
        if not least or at < least then oldest, least = all[j], at end
      end
      redis.call('HDEL', key, oldest)
      newest[topic] = head  -- whoever has not seen that one has missed something
    end
  end
end

bytes = bytes + added
local length = redis.call('XLEN', KEYS[2])
if length == (#ARGV - 10) / 5 then bytes = added end  -- all the log there is, whatever became of the rest
while length > 1 and (length > tonumber(ARGV[4]) or bytes > tonumber(ARGV[5])) do
  local some = math.max(1, math.min(100, length - ARGV[4]))
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', some + 1)
  if #oldest < 2 then break end
  for i = 1, #oldest - 1 do
    bytes = bytes - #oldest[i][2][2]
  end
  redis.call('XTRIM', KEYS[2], 'MINID', oldest[#oldest][1])
  length = length - #oldest + 1
end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'head', head, 'last', last, 'bytes', bytes)
redis.call('PEXPIRE', KEYS[1], ARGV[10])
redis.call('PEXPIRE', KEYS[2], ARGV[10])

-- The member '' says up to where topics were forgotten; where it is missing, all of them were.
if not redis.call('ZSCORE', KEYS[3], '') then redis.call('ZADD', KEYS[3], start, '') end
for topic, offset in pairs(newest) do redis.call('ZADD', KEYS[3], 'GT', offset, topic) end
local excess = redis.call('ZCARD', KEYS[3]) - 1 - ARGV[7]
if excess > 0 then
  local gone = redis.call('ZRANGE', KEYS[3], excess, excess, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, excess)
  redis.call('ZADD', KEYS[3], gone[2], '')
end
redis.call('PEXPIRE', KEYS[3], ARGV[10])
return {epoch, first}
