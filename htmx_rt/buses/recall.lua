-- Say what is known of topics: {epoch, head, up to where topics were forgotten, then per topic: its newest offset or
-- "", its states as {name, value, …}}. Writes nothing.
-- KEYS  1 meta  2 newest offset of each topic  3… the states of each topic
-- ARGV  the topics
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'head')
local known = { meta[1] or '', tonumber(meta[2]) or 0, tonumber(redis.call('ZSCORE', KEYS[2], '') or meta[2] or 0) }
for i, topic in ipairs(ARGV) do
  known[#known + 1] = redis.call('ZSCORE', KEYS[2], topic) or ''
  known[#known + 1] = redis.call('HGETALL', KEYS[i + 2])
end
return known
