#!lua name=tiltyard_log_1

-- What a log in Redis does, each call whole or not at all. KEYS[1] is what is known of a session: its epoch, who has it (owner), the number
-- of its newest entry (head), its newest snapshot (snap, with its form, wall time and id), and whether it is over. KEYS[2] is its entries: a
-- stream whose ids are <epoch>-<number>. An answer is a status, the head, and how many of the entries were there before.

local KEPT, FENCED, GAP, BEHIND, STALE = 0, 1, 2, 3, 4

-- Numbers stay below 2^53.
local function whole(number)
  return string.format('%.0f', number)
end

local function known(key)
  local has = redis.call('HMGET', key, 'epoch', 'owner', 'head', 'over')
  if not has[1] then
    return nil
  end
  return { epoch = tonumber(has[1]), owner = has[2], head = tonumber(has[3]), over = has[4] and true or false }
end

-- Why who has it under this epoch may not write, if so.
local function refused(has, epoch, owner)
  if not has or has.epoch < epoch then
    -- What it said before is not there: an older copy of the store, or another.
    return { BEHIND, has and has.head or -1, 0 }
  end
  if has.epoch == epoch and has.owner == owner then
    return nil
  end
  if has.epoch > epoch and has.owner == owner then
    -- The same owner has claimed it again since.
    return { STALE, has.head, 0 }
  end
  return { FENCED, has.head, 0 }
end

-- Adds what is not there yet of the entries, args[first] and so on, of which the first has this number.
local function add(keys, head, epoch, number, form, wall, args, first)
  local last, dups = head, 0
  for place = first, #args do
    local here = number + place - first
    if here > last then
      redis.call('XADD', keys[2], whole(epoch) .. '-' .. whole(here), form, args[place], 'w', wall)
      last = here
    else
      dups = dups + 1
    end
  end
  if last ~= head then
    redis.call('HSET', keys[1], 'head', whole(last))
  end
  return { KEPT, last, dups }
end

-- ARGV: epoch, owner, number of the first entry, form, wall time, entries. Without entries it only says whether it might.
local function append(keys, args)
  local epoch, number = tonumber(args[1]), tonumber(args[3])
  local has = known(keys[1])
  local why = refused(has, epoch, args[2])
  if why then
    return why
  end
  if has.over then
    return { KEPT, has.head, #args - 5 }
  end
  if number > has.head + 1 then
    return { GAP, has.head, 0 }
  end
  return add(keys, has.head, epoch, number, args[4], args[5], args, 6)
end

-- ARGV: what is expected, epoch, owner, number of the first entry, form, wall time, entries. Expected is `none`: there is no such session;
-- `own`: this owner has it under a lower epoch; or the epoch that somebody has it under, in which case the number is that after the head.
local function claim(keys, args)
  local expected, epoch, owner, number = args[1], tonumber(args[2]), args[3], tonumber(args[4])
  local has = known(keys[1])
  if not has then
    if expected ~= 'none' then
      return { BEHIND, -1, 0 }
    end
  elseif has.epoch == epoch and has.owner == owner then
    -- It was claimed, and the answer was lost.
    return add(keys, has.head, epoch, number or has.head + 1, args[5], args[6], args, 7)
  elseif has.epoch >= epoch then
    return { has.owner == owner and STALE or FENCED, has.head, 0 }
  elseif has.over or expected == 'none' then
    return { FENCED, has.head, 0 }
  elseif expected == 'own' then
    if has.owner ~= owner then
      return { FENCED, has.head, 0 }
    end
  elseif tonumber(expected) ~= has.epoch then
    return { FENCED, has.head, 0 }
  end
  number = number or has.head + 1
  if has and number > has.head + 1 then
    return { GAP, has.head, 0 }
  end
  redis.call('HSET', keys[1], 'epoch', whole(epoch), 'owner', owner)
  if #args < 7 then
    -- A claim alone: who has it now is what the entry says.
    redis.call('XADD', keys[2], whole(epoch) .. '-' .. whole(number), 'claim', owner)
    redis.call('HSET', keys[1], 'head', whole(number))
    return { KEPT, number, 0 }
  end
  return add(keys, number - 1, epoch, number, args[5], args[6], args, 7)
end

local function put_snapshot(keys, epoch, number, form, wall, record)
  local id = whole(epoch) .. '-' .. whole(number)
  redis.call('HSET', keys[1], 'snap', record, 'form', form, 'wall', wall, 'at', id, 'snapped', whole(number))
end

-- ARGV: epoch, owner, number, form, wall time, record. The session as it was after that entry: nothing before it is needed any more.
local function snapshot(keys, args)
  local epoch, number = tonumber(args[1]), tonumber(args[3])
  local has = known(keys[1])
  local why = refused(has, epoch, args[2])
  if why then
    return why
  end
  if number > has.head then
    return { GAP, has.head, 0 }
  end
  local newest = tonumber(redis.call('HGET', keys[1], 'snapped') or -1)
  if has.over or newest >= number then
    return { KEPT, has.head, 1 }
  end
  put_snapshot(keys, epoch, number, args[4], args[5], args[6])
  redis.call('XTRIM', keys[2], 'MINID', whole(epoch) .. '-' .. whole(number + 1))
  return { KEPT, has.head, 0 }
end

-- ARGV: the same. Its owner says anew what it is, under a higher epoch than it had: the store has lost something of it.
local function restore(keys, args)
  local epoch, owner, number = tonumber(args[1]), args[2], tonumber(args[3])
  local has = known(keys[1])
  if has and has.epoch == epoch and has.owner == owner then
    return { KEPT, has.head, 1 }
  end
  if has and has.epoch >= epoch then
    return { has.owner == owner and STALE or FENCED, has.head, 0 }
  end
  redis.call('DEL', keys[1], keys[2])
  redis.call('HSET', keys[1], 'epoch', whole(epoch), 'owner', owner, 'head', whole(number))
  put_snapshot(keys, epoch, number, args[4], args[5], args[6])
  return { KEPT, number, 0 }
end

-- ARGV: epoch, owner, seconds. The session is over: what it was goes at once, and for a while it is known that it was.
local function forget(keys, args)
  local epoch = tonumber(args[1])
  local has = known(keys[1])
  local why = has and refused(has, epoch, args[2])
  if why then
    return why
  end
  if has and not has.over then
    redis.call('DEL', keys[1], keys[2])
    redis.call('HSET', keys[1], 'epoch', whole(epoch), 'owner', args[2], 'head', whole(has.head), 'over', '1')
    redis.call('EXPIRE', keys[1], args[3])
  end
  return { KEPT, has and has.head or -1, 0 }
end

redis.register_function('tiltyard_log_1_append', append)
redis.register_function('tiltyard_log_1_claim', claim)
redis.register_function('tiltyard_log_1_restore', restore)
-- Both make room.
redis.register_function { function_name = 'tiltyard_log_1_snapshot', callback = snapshot, flags = { 'allow-oom' } }
redis.register_function { function_name = 'tiltyard_log_1_forget', callback = forget, flags = { 'allow-oom' } }
