-- Begin a new epoch unless somebody did already; say which one it is now: {epoch, head}.
-- KEYS  1 meta  2 log  3 newest
-- ARGV  1 the epoch that is over, or ""  2 the new one  3 life of the keys, ms
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if meta[1] and meta[2] and meta[1] ~= ARGV[1] then return {meta[1], tonumber(meta[2])} end
local head = tonumber(meta[2]) or 0
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'head', head, 'bytes', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[2], head}
