-- Pass ephemeral words on to all workers.  KEYS 1 the channel  ARGV the words
for i = 1, #ARGV do redis.call('PUBLISH', KEYS[1], ARGV[i]) end
return #ARGV
