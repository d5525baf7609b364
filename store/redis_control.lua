-- Mode, percentage and audit as Redis functions; stands behind redis_functions.lua in one text.
-- KEYS mode, percentage, good. People SET the first two: any type must be readable.
local function control_get(keys)
  local ret = {}
  for i, key in ipairs(keys) do
    local v = redis.pcall('GET', key)
    if type(v) == 'table' then v = '(a ' .. redis.call('TYPE', key).ok .. ')' end
    ret[i] = v
  end
  return ret
end

local function epoch_of(key)
  local good = redis.pcall('GET', key)
  return type(good) == 'string' and string.match(good, '^(%d+) %a[%a_]* %d+$') or '0'
end

-- KEYS mode, percentage, good, audit. ARGV expected epoch, mode, percentage or '' (raw values stay), ppm, from
-- mode, from ppm, actor, reason, evidence, a word of this call.
local function control_set(keys, args)
  local at = args[1] + 0
  if epoch_of(keys[3]) + 0 ~= at then
    -- Perhaps it was this very call, and its answer was lost.
    for _, entry in ipairs(redis.call('XRANGE', keys[4], ('%d-0'):format(at + 1), '+', 'COUNT', 1)) do
      if entry[2][2] == args[10] then return string.match(entry[1], '^%d+') end
    end
    return 'S'
  end
  local last = redis.call('XREVRANGE', keys[4], '+', '-', 'COUNT', 1)[1]
  last = last and string.match(last[1], '^%d+') + 0 or 0
  local epoch = ('%d'):format((last > at and last or at) + 1)
  redis.call('XADD', keys[4], 'MAXLEN', '~', 100000, epoch .. '-0', 'call', args[10], 'at', ('%d'):format(clock()),
       'actor', args[7], 'from', args[5], 'to', args[2], 'from_ppm', args[6], 'ppm', args[4],
       'reason', args[8], 'evidence', args[9])
  if args[3] ~= '' then
    redis.call('SET', keys[1], args[2])
    redis.call('SET', keys[2], args[3])
  end
  redis.call('SET', keys[3], epoch .. ' ' .. args[2] .. ' ' .. args[4])
  return epoch
end

-- KEYS good, audit. ARGV actor, action, reason, evidence, a word of this call. Notes of an epoch stand behind
-- the change that began it: <epoch>-1, <epoch>-2 …
local function note(keys, args)
  local epoch, nth = epoch_of(keys[1]) + 0, 0
  for i, entry in ipairs(redis.call('XREVRANGE', keys[2], '+', '-', 'COUNT', 32)) do
    if entry[2][2] == args[5] then return 'K' end -- its answer was lost
    local e, n = string.match(entry[1], '^(%d+)-(%d+)')
    if i == 1 and e + 0 >= epoch then epoch, nth = e + 0, n + 0 end
  end
  redis.call('XADD', keys[2], 'MAXLEN', '~', 100000, ('%d-%d'):format(epoch, nth + 1), 'call', args[5],
       'at', ('%d'):format(clock()), 'actor', args[1], 'action', args[2], 'reason', args[3], 'evidence', args[4])
  return 'K'
end

-- KEYS audit. ARGV the end to read back from, how many. What XREVRANGE says, without notes.
local function changes(keys, args)
  local list, from, want = {}, args[1], args[2] + 0
  for _ = 1, 20 do
    local page = redis.call('XREVRANGE', keys[1], from, '-', 'COUNT', 500)
    for _, entry in ipairs(page) do
      if #list < want and string.match(entry[1], '-0$') then list[#list + 1] = entry end
    end
    if #list == want or #page < 500 then break end
    from = '(' .. page[#page][1]
  end
  return list
end

register('control_get', control_get, {'no-writes'})
register('control_set', control_set, {'allow-oom'})
register('note', note, {'allow-oom'})
register('changes', changes, {'no-writes'})
