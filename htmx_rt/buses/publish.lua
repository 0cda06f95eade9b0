-- Give a message the next offset, keep it in the log, and say where it stands: {epoch, offset}.
-- KEYS  1 meta {epoch, head, bytes}  2 log  3 newest offset of each topic  4 states of this topic
-- ARGV  1 an epoch in case there is none  2 kind  3 topic  4 head  5 tail  6 name of a state or ""
--       7 window, messages  8 window, bytes  9 states a topic  10 topics remembered  11 life of all keys, ms
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'bytes')
local epoch, head, bytes = meta[1], tonumber(meta[2]), tonumber(meta[3]) or 0
if not epoch or not head then
  epoch, head, bytes = ARGV[1], 0, 0
  redis.call('DEL', KEYS[2], KEYS[3])
end
local offset = head + 1
local function add()
  return redis.pcall('XADD', KEYS[2], string.format('%d-0', offset),
    'e', epoch, 'k', ARGV[2], 't', ARGV[3], 'h', ARGV[4], 'b', ARGV[5], 's', ARGV[6])
end
local added = add()
if type(added) == 'table' and added.err then
  -- Out of memory and read-only are for the caller; a log ahead of its own head is a copy gone wrong.
  if not string.find(added.err, 'equal or smaller') then return redis.error_reply(added.err) end
  redis.call('DEL', KEYS[2], KEYS[3])
  epoch, bytes = ARGV[1], 0
  add()
end
bytes = bytes + #ARGV[4] + #ARGV[5]
while redis.call('XLEN', KEYS[2]) > tonumber(ARGV[7]) or bytes > tonumber(ARGV[8]) do
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 2)
  if #first < 2 then break end
  local fields = first[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'h' or fields[i] == 'b' then bytes = bytes - #fields[i + 1] end
  end
  redis.call('XTRIM', KEYS[2], 'MINID', first[2][1])
end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'head', offset, 'bytes', bytes)
redis.call('PEXPIRE', KEYS[1], ARGV[11])
redis.call('PEXPIRE', KEYS[2], ARGV[11])
if ARGV[2] == 'm' then
  if ARGV[6] == '' then
    redis.call('ZADD', KEYS[3], offset, ARGV[3])
    if offset % 256 == 0 then redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[10])) end
    redis.call('PEXPIRE', KEYS[3], ARGV[11])
  else
    redis.call('HSET', KEYS[4], ARGV[6], string.format('%d:', offset) .. #ARGV[4] .. ':' .. ARGV[4] .. ARGV[5])
    redis.call('PEXPIRE', KEYS[4], ARGV[11])
    if redis.call('HLEN', KEYS[4]) > tonumber(ARGV[9]) then
      local oldest, least
      local all = redis.call('HGETALL', KEYS[4])
      for i = 1, #all, 2 do
        local at = tonumber(string.match(all[i + 1], '^(%d+):'))
        if not least or at < least then oldest, least = all[i], at end
      end
      redis.call('HDEL', KEYS[4], oldest)
    end
  end
end
return {epoch, offset}
