-- One call from a bucket, by the generic cell rate algorithm, as in doors/limits.py: the key holds the instant, in microseconds
-- of this server's clock, at which the bucket would be full again. Answers microseconds to wait; 0 means the call was taken.
-- KEYS[1] the bucket   ARGV[1] seconds between two calls   ARGV[2] calls at once
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = ARGV[1] * 1000000
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full_at - now - (ARGV[2] - 1) * interval
if wait > 1 then
  return math.ceil(wait)
end
full_at = full_at + interval
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000) + 1)
return 0
