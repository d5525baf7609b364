-- The operations of the store as Redis functions: the rules of store/rules*.c on the texts of
-- store/record.h. A first line that names the library, and VERSION, are put before it at run time.
-- An entity is kept a day longer than is asked for; written by a claim, for all of the period in which the claim was
-- made: a later claim of that period need not renew it.
local DAY_US, KEEP_MS, PERIOD_US = 86400000000, 97200000, 10000000000
local OPEN_MS = '2592000000'
local ABSENT, FLIGHT, DONE, NOT_DONE, UNSENT, DOUBT = '-', '1', '2', '3', '4', '6'
local REPEATS = '001' -- the status of a leg that was claimed out of doubt
local NONE_OPEN, NEVER = '0000000000', '0000000000000000'
local ZERO, ONE, TWO, DASH = 48, 49, 50, 45 -- bytes
local BYTE_FLIGHT, BYTE_NOT_DONE, BYTE_DOUBT = 49, 51, 54

-- Costs of Redis that shape what follows: a string costs by its length, to make it and to take it from a reply; a
-- text that is looked for where it should stand (find) is not cut out; SETRANGE costs less than half of PSETEX.

local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

local function left(till, now)
  return till > now and math.ceil((till - now) / 1000) or 0
end

-- entity: "<side> <gen> <open> <lease> <stick>", 63 bytes. A damaged one is nobody's: else no event of it
-- would pass again.
local function own_read(r)
  if not r or #r ~= 63 then return nil end
  return {side = r:sub(1, 1), gen = r:sub(3, 18) + 0, open = r:sub(20, 29) + 0,
          lease = r:sub(31, 46) + 0, stick = r:sub(48, 63) + 0}
end

local function own_write(key, now, side, gen, open, lease, stick)
  local till = stick > now and stick or now
  if open > 0 and lease > till then till = lease end
  redis.call('PSETEX', key, ('%d'):format((till - now) / 1000 + KEEP_MS),
             ('%s %016d %010d %016d %016d'):format(side, gen, open, lease, stick))
end

local function longer(least, asks)
  return asks > least + 0 and ('%d'):format(asks) or least
end

-- The same where gen and lease are texts; kept `least` ms, longer where stickiness asks.
local function own_put(key, side, gen, open, lease, stick, now, least)
  if stick > 0 then least = longer(least, (stick - now) / 1000 + KEEP_MS) end
  redis.call('PSETEX', key, least, ('%s %s %010d %s %016d'):format(side, gen, open, lease, stick))
end

-- event: "1 <at> <pin> <leg> <leg> <tail>"; a leg: "<state><role><holding><from> <token> <attempt> <fence>
-- <until> <status>" or "-". Legs stay texts, cut where they are looked at.
local function ev_legs(r)
  if r:sub(1, 2) ~= '1 ' then error('damaged record') end
  local a = r:sub(22, 22) == ABSENT and 22 or 102
  local b = r:sub(a + 2, a + 2) == ABSENT and a + 2 or a + 82
  return {['0'] = r:sub(22, a), ['1'] = r:sub(a + 2, b)}, r:sub(b + 2)
end

local function state(leg) return leg:sub(1, 1) end
local function role(leg) return leg:sub(2, 2) end
local function token(leg) return leg:sub(6, 37) end
local function fence(leg) return leg:sub(45, 60) + 0 end
local function till(leg) return leg:sub(62, 77) + 0 end
local function owner(leg, s) return state(leg) == s and role(leg) == '0' end

-- Ended legs are kept as long as is remembered; while one is open, longer.
local function open_leg(leg)
  return state(leg) == FLIGHT or owner(leg, DOUBT)
end

local function ev_write(key, head, legs, tail, remember)
  local keep = (open_leg(legs['0']) or open_leg(legs['1'])) and OPEN_MS or remember
  redis.call('PSETEX', key, keep, head .. legs['0'] .. ' ' .. legs['1'] .. ' ' .. tail)
end

local function lower(own, leg)
  if leg:sub(3, 3) == '1' and role(leg) == '0' and own and own.gen == fence(leg) and own.open > 0 then
    own.open = own.open - 1
    return true
  end
  return false
end

local function granted(word, side, legs)
  local leg, other = legs[side], legs[side == '0' and '1' or '0']
  local shadow = other ~= ABSENT and role(other) == '1' and token(other) == token(leg)
  return word .. ' ' .. side .. ' ' .. leg:sub(4, 4) .. (shadow and ' 1 ' or ' 0 ') .. leg:sub(39, 77)
end

local SIDES = {'0', '1'}

-- What the legs say by themselves; nil: the claim goes on.
local function legs_answer(key, rec, legs, tail, now, side, mine, what)
  for _, s in ipairs(SIDES) do
    if owner(legs[s], FLIGHT) and token(legs[s]) == mine then return granted('M', s, legs) end
  end
  for _, s in ipairs(SIDES) do
    if owner(legs[s], DONE) then return 'D ' .. s .. ' ' .. legs[s]:sub(79, 81) end
  end
  for _, s in ipairs(SIDES) do
    local leg = legs[s]
    if state(leg) == FLIGHT and (role(leg) == '0' or s == side) and till(leg) > now then
      return 'I ' .. s .. ' ' .. left(till(leg), now) .. (leg:sub(4, 4) >= '3' and ' 1' or ' 0')
    end
  end
  for _, s in ipairs(SIDES) do
    local leg = legs[s]
    local again = s == side and what:sub(4 + s, 4 + s) == '1'
    if (owner(leg, DOUBT) or owner(leg, FLIGHT)) and not again then
      if state(leg) == FLIGHT then
        legs[s] = DOUBT .. leg:sub(2)
        ev_write(key, rec:sub(1, 21), legs, tail, OPEN_MS)
      end
      return 'U ' .. s
    end
  end
end

local function leg_text(s, r, holding, from, tok, attempt, gen, lease, status)
  return ('%s%s%s%s %s %05d %016d %016d %03d'):format(s, r, holding, from, tok, math.min(attempt, 99999), gen,
                                                      lease, status)
end

local function next_attempt(leg)
  if leg == ABSENT then return '00001' end
  return ('%05d'):format(math.min(leg:sub(39, 43) + 1, 99999))
end

-- A claim of an event that is known, or of an entity that has attempts open.
local function claim_known(keys, what, tail, rec, own, now, side, from, least)
  local open, lease, stick = 0, 0, 0
  if own then open, lease, stick = own:sub(20, 29) + 0, own:sub(31, 46) + 0, own:sub(48, 63) + 0 end
  local mine, span, legs = what:sub(7, 38), what:sub(39, 54)
  if rec then
    local old_tail
    legs, old_tail = ev_legs(rec)
    local said = legs_answer(keys[1], rec, legs, old_tail, now, side, mine, what)
    if said then return said end
    -- An attempt in doubt that is tried again is over: what it holds of the entity goes first.
    local leg = legs[side]
    if open > 0 and leg:sub(3, 3) == '1' and role(leg) == '0' and leg:sub(45, 60) == own:sub(3, 18) and
       tail:match('^%Z*') == old_tail:match('^%Z*') then
      open = open - 1
    end
  end
  local lease_text = ('%016d'):format(now + span)
  local gen
  if open > 0 and lease > now then
    if own:sub(1, 1) ~= side then return 'B ' .. own:sub(1, 1) .. ' ' .. left(lease, now) end
    gen = own:sub(3, 18)
    local later = lease > now + span and own:sub(31, 46) or lease_text
    own_put(keys[2], side, gen, open + 1, later, stick, now, least)
  else
    if own and own:sub(1, 1) ~= side then stick = 0 end
    gen = ('%016d'):format(own and math.max(now, own:sub(3, 18) + 1) or now)
    own_put(keys[2], side, gen, 1, lease_text, stick, now, least)
  end
  local leg = gen .. ' ' .. lease_text .. ' 000'
  local asked, shadow, head = what:sub(3, 3) == '1', ABSENT
  if rec then
    local other = legs[side == '0' and '1' or '0']
    head, asked, shadow = rec:sub(1, 19), asked and other == ABSENT, other
    if owner(legs[side], DOUBT) or owner(legs[side], FLIGHT) then leg = leg:sub(1, -4) .. REPEATS end
    leg = mine .. ' ' .. next_attempt(legs[side]) .. ' ' .. leg
  else
    head = '1 ' .. ('%016d'):format(now) .. ' '
    leg = mine .. ' 00001 ' .. leg
  end
  if asked then shadow = '1100 ' .. mine .. ' 00001 ' .. gen .. ' ' .. lease_text .. ' 000' end
  leg = '101' .. from .. ' ' .. leg
  local both = side == '0' and leg .. ' ' .. shadow or shadow .. ' ' .. leg
  redis.call('PSETEX', keys[1], OPEN_MS, head .. side .. ' ' .. both .. ' ' .. tail)
  return 'G ' .. side .. ' ' .. from .. (asked and ' 1 ' or ' 0 ') .. leg:sub(39, 77)
end

-- The last incarnation that was seen: its text is read once.
local seen, seen_word, held_till

local function is_incarnation(text, word)
  if text and text ~= seen then
    seen, seen_word, held_till = text, text:match('^(%x+) (%d+) ')
    held_till = (held_till or 0) + 0
  end
  return text and seen_word == word
end

-- Of the last claim, good for one second: what would be reckoned anew for each.
local second, second_us, period_us, lease_span, lease_second, lease_short

local function begin_second(text)
  second, second_us, lease_span = text, text * 1000000, nil
  period_us = second_us - second_us % PERIOD_US
end

-- The text of now + span, which is most often whole seconds.
local function lease_till(span, now, micro)
  if span ~= lease_span then
    local us = span + 0
    lease_span, lease_short = span, us <= DAY_US
    lease_second = us % 1000000 == 0 and ('%010d'):format((second_us + us) / 1000000)
  end
  return lease_second and lease_second .. micro or ('%016d'):format(now + span)
end

-- KEYS event, entity, incarnation. ARGV first word of the incarnation; want absolute shadow idempotent(2) disk as
-- digits, token, lease in 16 digits of us, in one text; least time the entity is kept in ms; tail of the record.
-- Nearly all events are new and their entity has nothing open: for them there are no tables, each text is built
-- in one go, and numbers that are only copied stay texts.
local function claim(keys, args)
  local t = redis.call('TIME')
  local micro = t[2]
  if t[1] ~= second then begin_second(t[1]) end
  local now = second_us + micro
  local got = redis.call('MGET', keys[1], keys[2], keys[3])
  local rec, own = got[1], got[2]
  if not is_incarnation(got[3], args[1]) then return 'F' end
  if held_till > now then return 'H ' .. left(held_till, now) end
  local what, least = args[2], args[3]
  local want, absolute, shadow, _, _, disk = what:byte(1, 6)
  local side, from, open, stick, stick_text = want == ZERO and '0' or '1', '0', false, 0, NEVER
  if own and #own ~= 63 then own = nil end
  if own then
    open, stick_text = own:find(NONE_OPEN, 20, true) ~= 20, own:sub(48, 63)
    if stick_text ~= NEVER then stick = stick_text + 0 end
  end
  if absolute == ZERO then
    if rec then
      side, from = rec:sub(20, 20), '1'
    elseif own and (open or stick > now) then
      side, from = own:sub(1, 1), '2'
    end
  end
  if disk ~= ZERO then from = ('%d'):format(from + 3) end
  if rec or open then return claim_known(keys, what, args[4], rec, own, now, side, from, least) end
  if #micro < 6 then micro = ('%06d'):format(micro) end
  local at = second .. micro
  local gen, lease, kept = at, lease_till(what:sub(39, 54), now, micro), false
  if own then
    if own:sub(1, 1) ~= side then stick, stick_text = 0, NEVER end
    local last = own:sub(3, 18) + 0
    if last >= now then gen = ('%016d'):format(last + 1) end
    kept = last < now and last >= period_us and lease_short and stick < now + DAY_US
  end
  local text = side .. ' ' .. gen .. ' 0000000001 ' .. lease .. ' ' .. stick_text
  if kept then
    redis.call('SETRANGE', keys[2], '0', text)
  else
    if stick > now then least = longer(least, (stick - now) / 1000 + KEEP_MS) end
    redis.call('PSETEX', keys[2], least, text)
  end
  local mine, before, after, asked = what:sub(7, 38) .. ' 00001 ', ' 0 101', ' 000 - ', ' 0 00001 '
  if side == '1' then before, after = ' 1 - 101', ' 000 ' end
  if shadow ~= ZERO then
    local twin = '1100 ' .. mine .. gen .. ' ' .. lease .. ' 000 '
    if side == '0' then after = ' 000 ' .. twin else before = ' 1 ' .. twin .. '101' end
    asked = ' 1 00001 '
  end
  redis.call('PSETEX', keys[1], OPEN_MS,
             '1 ' .. at .. before .. from .. ' ' .. mine .. gen .. ' ' .. lease .. after .. args[4])
  return 'G ' .. side .. ' ' .. from .. asked .. gen .. ' ' .. lease
end

-- KEYS event, entity, incarnation. ARGV first word of the incarnation, side disk as digits, token, lease in us.
local function renew(keys, args)
  local now = clock()
  local got = redis.call('MGET', keys[1], keys[2], keys[3])
  if not is_incarnation(got[3], args[1]) then return 'F' end
  if not got[1] then return 'A' end
  local side, own, legs, tail = args[2]:sub(1, 1), own_read(got[2]), ev_legs(got[1])
  legs, tail = ev_legs(got[1])
  local leg = legs[side]
  if leg == ABSENT then return 'A' end
  if state(leg) ~= FLIGHT or token(leg) ~= args[3] or
     (role(leg) == '0' and not (own and own.gen == fence(leg))) then
    return 'S'
  end
  local lease_till, from = now + args[4], leg:sub(4, 4)
  local to_disk = args[2]:sub(2, 2) == '1' and from < '3'
  if lease_till > till(leg) or to_disk then
    legs[side] = leg:sub(1, 3) .. (to_disk and from + 3 or from) .. leg:sub(5, 61) ..
                 ('%016d'):format(math.max(lease_till, till(leg))) .. leg:sub(78)
    ev_write(keys[1], got[1]:sub(1, 21), legs, tail, OPEN_MS)
  end
  if role(leg) == '0' and lease_till > own.lease then
    own_write(keys[2], now, own.side, own.gen, own.open, lease_till, own.stick)
  end
  return 'K'
end

-- When an entity's stickiness that begins now ends: the text of finish says not at all (0), until then (1), or
-- how long (2).
local function sticks_till(what)
  local kind = what:byte(4)
  if kind == ONE then return what:sub(40, 55) end
  if kind == TWO then return ('%016d'):format(clock() + what:sub(40, 55)) end
  return NEVER
end

-- A leg that is not there, or all of the record.
local function finish_anew(keys, args, rec, own_text)
  local now, own, what = clock(), own_read(own_text), args[1]
  local side, r, s = what:sub(1, 1), what:sub(2, 2), what:sub(3, 3)
  if s == UNSENT then return 'K' end
  local head, legs, tail = ('1 %016d %s '):format(now, side), {['0'] = ABSENT, ['1'] = ABSENT}, what:sub(86)
  if rec then
    head = rec:sub(1, 21)
    legs, tail = ev_legs(rec)
  end
  local gen = what:sub(56, 75) + 0
  legs[side] = leg_text(s, r, '0', '0', what:sub(5, 36), what:sub(76, 85) + 0, gen, now, what:sub(37, 39))
  ev_write(keys[1], head, legs, tail, args[2])
  if r == '0' and not (own and own.gen > gen) then
    local stick = sticks_till(what) + 0
    if own and own.gen == gen then
      own_write(keys[2], now, own.side, gen, own.open, own.lease, stick)
    else
      own_write(keys[2], now, side, gen, 0, 0, stick)
    end
  end
  return 'K'
end

-- Lowers `open` and moves the stickiness; without `keep` the key is known to be kept long enough.
local function finish_entity(key, own, what, unsent, held, keep)
  local count = own:sub(20, 29)
  if held then count = count == '0000000001' and NONE_OPEN or ('%010d'):format(math.max(count - 1, 0)) end
  local rest = count .. own:sub(30, 47) .. (unsent and own:sub(48, 63) or sticks_till(what))
  if keep then
    redis.call('PSETEX', key, keep, own:sub(1, 19) .. rest)
  else
    redis.call('SETRANGE', key, '19', rest)
  end
end

local LEG_OFFSET = {[22] = '21', [24] = '23', [104] = '103'}

-- KEYS event, entity. ARGV side role state stickiness as digits, token, status in 3 digits, stickiness in 16 digits
-- of us, and for a leg that is not there fence in 20, attempt in 10 and tail, in one text; remember in ms; least
-- time the entity is kept in ms, if it must be renewed.
local function finish(keys, args)
  local rec, own, what = redis.call('GET', keys[1]), redis.call('GET', keys[2]), args[1]
  if not rec then return finish_anew(keys, args, rec, own) end
  if rec:sub(1, 2) ~= '1 ' then return 'S' end
  local wanted, its_role = what:byte(1, 2)
  local at, other, token_text = 22, rec:byte(22) == DASH and 24 or 104, what:sub(5, 36)
  if wanted ~= ZERO then at, other = other, at end
  local same = rec:find(token_text, at + 5, true) == at + 5
  -- A caller whose claim got no answer does not know the side: its token does.
  if not (same and rec:byte(at + 1) == its_role) and rec:byte(other + 1) == its_role and
     rec:find(token_text, other + 5, true) == other + 5 then
    at, other, same = other, at, true
  end
  local had, was, holding = rec:byte(at, at + 2)
  if had == DASH then return finish_anew(keys, args, rec, own) end
  if not same then return 'S' end
  local s, status = what:sub(3, 3), what:sub(37, 39)
  -- Holding is 2 where the operator ended it: not done by word, done by its own late word.
  local settled = holding == TWO and had == BYTE_NOT_DONE and s == DONE
  if had ~= BYTE_FLIGHT and had ~= BYTE_DOUBT and not settled then return 'K' end
  local unsent, beside, its = s == UNSENT, rec:byte(other, other + 1)
  local open = (s == DOUBT and was == ZERO) or beside == BYTE_FLIGHT or (beside == BYTE_DOUBT and its == ZERO)
  -- What was claimed out of doubt stays in doubt until it is done: the first attempt may have worked.
  if s ~= DONE and rec:find(REPEATS, at + 78, true) == at + 78 then
    s, status = DOUBT, REPEATS
    open = open or was == ZERO
  end
  redis.call('SETRANGE', keys[1], LEG_OFFSET[at], s .. (was == ZERO and '00' or '10') .. rec:sub(at + 3, at + 77) .. status)
  redis.call('PEXPIRE', keys[1], open and OPEN_MS or args[2])
  if was == ZERO and own and #own == 63 and rec:find(own:sub(3, 18), at + 44, true) == at + 44 then
    finish_entity(keys[2], own, what, unsent, holding == ONE, args[3])
  end
  return 'K'
end

-- KEYS entity.
local function release(keys)
  local own = own_read(redis.call('GET', keys[1]) or nil)
  if own and own.stick > 0 then own_write(keys[1], clock(), own.side, own.gen, own.open, own.lease, 0) end
  return 'K'
end

-- As settle_doubt of store/rules.c says it: the answer, and whether a leg or the entity changed.
local function settle_doubt(legs, own, s)
  for _, side in ipairs(SIDES) do
    if owner(legs[side], DONE) then return s == DONE and 'K' or 'S', false, false end
  end
  local changed, lowered = false, false
  for _, side in ipairs(SIDES) do
    local leg = legs[side]
    if owner(leg, FLIGHT) or owner(leg, DOUBT) or (s == DONE and leg:sub(3, 3) == '2') then
      lowered = lower(own, leg) or lowered
      legs[side], changed = s .. '02' .. leg:sub(4, 78) .. '000', true
    end
  end
  return (changed or s == NOT_DONE) and 'K' or 'S', changed, lowered
end

-- KEYS event. ARGV the entities' key up to the entity, which only the record knows, what becomes of a leg in
-- doubt (its state) or '' for forget, remember in ms.
local function settle(keys, args)
  local rec = redis.call('GET', keys[1])
  if not rec then return 'A' end
  if args[2] == '' and rec:sub(1, 2) ~= '1 ' then
    redis.call('DEL', keys[1])
    return 'K'
  end
  local now, legs, tail = clock(), ev_legs(rec)
  legs, tail = ev_legs(rec)
  for _, s in ipairs(SIDES) do
    if state(legs[s]) == FLIGHT and till(legs[s]) > now then return 'S' end
  end
  local key = args[1] .. string.match(tail, '^%Z*')
  local own = own_read(redis.call('GET', key) or nil)
  local said, changed, lowered = 'K', false, false
  if args[2] == '' then
    local a, b = lower(own, legs['0']), lower(own, legs['1'])
    lowered = a or b
    redis.call('DEL', keys[1])
  else
    said, changed, lowered = settle_doubt(legs, own, args[2])
    if changed then ev_write(keys[1], rec:sub(1, 21), legs, tail, args[3]) end
  end
  if lowered then own_write(key, now, own.side, own.gen, own.open, own.lease, own.stick) end
  return said
end

-- KEYS event or entity. ARGV 'event', the entities' key up to the entity; or 'entity'.
local function look(keys, args)
  local now = ('%d'):format(clock())
  local rec = redis.call('GET', keys[1])
  if args[1] == 'entity' then return {now, false, rec} end
  if not rec then return {now, false, false} end
  local _, tail = ev_legs(rec)
  return {now, rec, redis.call('GET', args[2] .. string.match(tail, '^%Z*'))}
end

-- KEYS event, entity. ARGV side role state pin disk as digits, token, attempt, fence, lease left in us, status,
-- stickiness left in us, first claimed, remember in ms, tail.
local function newer(leg, args, s, r)
  if leg == ABSENT then return true end
  local had = state(leg)
  if token(leg) == args[2] then
    if leg:sub(79, 81) == REPEATS and s ~= DONE then return false end
    return s ~= FLIGHT and (had == FLIGHT or (had == DOUBT and s ~= DOUBT))
  end
  if role(leg) == '0' and (r == '1' or had == DOUBT) then return r == '0' and s == DONE end
  if had == FLIGHT or had == DONE then return false end
  local was, is = fence(leg), args[4] + 0
  return was < is or (was == is and leg:sub(39, 43) + 0 < args[3] + 0)
end

local function put_back(keys, args)
  local now = clock()
  local got = redis.call('MGET', keys[1], keys[2])
  local rec, own, d = got[1], own_read(got[2]), args[1]
  local side, r, s = d:sub(1, 1), d:sub(2, 2), d:sub(3, 3)
  local head, legs, tail = ('1 %016d %s '):format(args[8], d:sub(4, 4)), {['0'] = ABSENT, ['1'] = ABSENT}, args[10]
  if rec then
    head = rec:sub(1, 21)
    legs, tail = ev_legs(rec)
  end
  local leg = legs[side]
  if not newer(leg, args, s, r) then return token(leg) == args[2] and 'K 0' or 'S' end
  local gen, lowered = args[4] + 0, lower(own, leg)
  local lease, stick = s == FLIGHT and now + args[5] or now, args[7] == '0' and 0 or now + args[7]
  local holds = false
  if r == '0' and not (own and own.gen > gen) then
    if not own or own.gen < gen then own = {side = side, gen = gen, open = 0, lease = 0, stick = 0} end
    if stick > own.stick then own.stick = stick end
    if s == FLIGHT then
      holds, own.open = true, own.open + 1
      if lease > own.lease then own.lease = lease end
    end
    lowered = true
  end
  if lowered then own_write(keys[2], now, own.side, own.gen, own.open, own.lease, own.stick) end
  legs[side] = leg_text(s, r, holds and '1' or '0', d:sub(5, 5) == '1' and '3' or '0', args[2], args[3] + 0, gen,
                        lease, args[6])
  ev_write(keys[1], head, legs, tail, args[9])
  return 'K 1'
end

-- KEYS incarnation. ARGV a random word. The text "<random> <no claims until> <run id> <new|restarted>", and ms
-- until claims are let through.
local function incarnation(keys, args)
  local now, run = clock(), string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local have = redis.call('GET', keys[1])
  if not have or have:match('^%x+ %d+ (%x+)') ~= run then
    have = ('%s %016d %s %s'):format(args[1], now + 2000000, run, have and 'restarted' or 'new')
    redis.call('SET', keys[1], have)
  end
  return {have, left(have:sub(34, 49) + 0, now)}
end

local function register(name, callback, flags)
  redis.register_function{function_name = 'pointsman_' .. name .. '_' .. VERSION, callback = callback, flags = flags}
end
register('claim', claim, {})
register('renew', renew, {'allow-oom'})
register('finish', finish, {'allow-oom'})
register('release', release, {'allow-oom'})
register('settle', settle, {'allow-oom'})
register('look', look, {'no-writes'})
register('assert', put_back, {'allow-oom'})
register('incarnation', incarnation, {'allow-oom'})
