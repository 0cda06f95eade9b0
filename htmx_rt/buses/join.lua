-- Say what a worker is to follow: {epoch, head, last}. Begin a new epoch where the log is not the one that was known:
-- a page's position in the old one means nothing any more.
-- KEYS  1 meta {epoch, head, last, bytes, run}  2 log  3 newest offset of each topic
-- ARGV  1 the epoch that this worker follows, or "" where it has just started  2 its head  3 the batch of that message
--       4 offset of the newest message of its own that was acknowledged  5 "1" where it has seen history change
--       6 a new epoch  7 life of the keys, ms
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last', 'run')
local epoch, head, last = meta[1], tonumber(meta[2]), meta[3]
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local lost = not (epoch and head and last)
if not lost and epoch == ARGV[1] then
  local mine = tonumber(ARGV[2])
  lost = ARGV[5] == '1' or head < mine or head < tonumber(ARGV[4]) or (head == mine and last ~= ARGV[3])
elseif not lost and ARGV[1] == '' then
  -- Redis was started again since, perhaps from an older copy, and nobody who knew it before has vouched for it.
  lost = meta[4] ~= run and meta[4] ~= false
end
if lost then
  epoch, head, last = ARGV[6], head or 0, ARGV[6]
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'head', head, 'last', last, 'bytes', 0, 'run', run)
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
elseif meta[4] ~= run then
  redis.pcall('HSET', KEYS[1], 'run', run)
end
return {epoch, head, last}
