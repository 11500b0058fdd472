/**
 * Settlements as arguments of the script of the take loop, which reads as many of each.
 */
import type { Settlement } from "../JobStore.ts"
import { escaped } from "../QueueLogger/Line.ts"
import type { Argument } from "../Redis/Script.ts"
import { atOnce } from "./custody.ts"

/** How many arguments a settlement takes: kind, id, token and four that depend on the kind. */
const width = 7

/** Local `count` and `late`, the settlements whose leases were over, from 1; settles in the order in which it was told. */
export const settling = `
local count, late = 0, {}
local ids, tokens = {}, {}
for id, token in string.gmatch(arg_done, '(%S+) (%S+)') do
  count = count + 1
  ids[count], tokens[count] = id, token .. '|'
end
local over, is_over = {}, {}
for first = 1, count, ${atOnce} do
  for i, meta in ipairs(redis.call('HMGET', key_meta, unpack(ids, first, math.min(first + ${atOnce - 1}, count)))) do
    local at = first + i - 1
    local id, token = ids[at], tokens[at]
    if meta and not is_over[id] and string.sub(meta, 1, #token) == token then
      over[#over + 1] = id
      is_over[id] = true
    else
      late[#late + 1] = at
    end
  end
end
forget_all(over)

for i = first_rest, #ARGV, ${width} do
  count = count + 1
  local kind, id, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local meta = read_meta(id)
  if not meta or meta.token ~= token then
    late[#late + 1] = count
  else
    if kind == 'D' then
      forget(id)
    elseif kind == 'R' then
      if ARGV[i + 6] ~= '' then note(id, meta.attempts + 1, ARGV[i + 6]) end
      if ARGV[i + 4] == '1' then meta.attempts = meta.attempts + 1 end
      meta.deliveries = 0
      if ARGV[i + 5] ~= '' then redis.call('HSET', key_job, id, ARGV[i + 5]) end
      delay(id, meta, now + tonumber(ARGV[i + 3]))
    elseif kind == 'S' then
      local bytes = redis.call('HGET', key_job, id)
      if bytes and tonumber(ARGV[i + 3]) > now / 1000 + arg_schedule_offset then
        redis.call('ZADD', key_schedule, ARGV[i + 3], bytes)
        -- Or it would be taken for a resend when its time has come.
        redis.call('ZREM', key_seen, redis.sha1hex(bytes))
        forget(id)
      else
        meta.deliveries = 0
        delay(id, meta, tonumber(ARGV[i + 4]))
      end
    elseif kind == 'X' then
      bury(ARGV[i + 3], id)
    else
      meta.deliveries = meta.deliveries - 1
      give_back(id, meta)
    end
  end
end
`

/** Settlements in the form that the script reads. */
interface Wire {
  /** The first ones, as long as they are of jobs that are done: a line each of id and token. */
  readonly done: string
  /** Those that follow, {@link width} values each. */
  readonly rest: ReadonlyArray<Argument>
}

const row = (settlement: Settlement, scheduleOffset: (time: number) => number): ReadonlyArray<Argument> => {
  const { id, token } = settlement.lease
  switch (settlement._tag) {
    case "Done":
      return ["D", id, token, "", "", "", ""]
    case "Retry": {
      const { bytes = "", counted, delay, detail = "" } = settlement
      return ["R", id, token, Math.ceil(delay), counted ? 1 : 0, bytes, escaped(detail)]
    }
    case "Scheduled": {
      const { dueAt } = settlement
      return ["S", id, token, (dueAt / 1_000 + scheduleOffset(dueAt)).toFixed(3), dueAt, "", ""]
    }
    case "Dead":
      return ["X", id, token, JSON.stringify(settlement.letter), "", "", ""]
    case "Released":
      return ["L", id, token, "", "", "", ""]
  }
}

/**
 * Writes settlements. `scheduleOffset`: seconds from the Unix time of a scheduled job to its score, at a time in
 * milliseconds.
 */
export const encode = (settlements: ReadonlyArray<Settlement>, scheduleOffset: (time: number) => number): Wire => {
  let done = ""
  let index = 0
  for (; settlements[index]?._tag === "Done"; index++) {
    const lease = settlements[index]?.lease
    done += `${lease?.id} ${lease?.token}\n`
  }
  return { done, rest: settlements.slice(index).flatMap((settlement) => row(settlement, scheduleOffset)) }
}
