/**
 * A look at messages without taking them.
 */
import * as Effect from "effect/Effect"
import type { Place } from "../JobStore.ts"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import * as Script from "../Redis/Script.ts"
import { answerBytes, gathering, keyNames, messages } from "./custody.ts"

/** Of what waits the oldest and the newest, half and half: what a site has changed shows in the latter. */
const peek = Script.make({
  name: "peek",
  keys: keyNames,
  args: ["place", "limit", "max_bytes"],
  body: `${gathering}
local limit = tonumber(arg_limit)
local function look_at(list, from, step, count)
  for index = 0, count - 1 do
    local bytes = redis.call('LINDEX', list, from + step * index)
    if not bytes or is_full(bytes) then return end
  end
end
if arg_place == 'scheduled' then
  for _, bytes in ipairs(redis.call('ZRANGE', key_schedule, 0, limit - 1)) do
    if is_full(bytes) then break end
  end
elseif arg_place == 'waiting' then
  local arrived, queue = redis.call('LLEN', key_arrived), redis.call('LLEN', key_queue)
  local old = math.ceil(limit / 2)
  look_at(key_arrived, -1, -1, math.min(arrived, old))
  old = math.min(queue, old - #found)
  if old > 0 then look_at(key_queue, -1, -1, old) end
  if #found < limit and size < tonumber(arg_max_bytes) then
    look_at(key_queue, 0, 1, math.min(queue - math.max(0, old), limit - #found))
  end
else
  local ids = redis.call('ZRANGE', arg_place == 'inHand' and key_inflight or key_delayed, 0, limit - 1)
  for _, id in ipairs(ids) do
    local bytes = redis.call('HGET', key_job, id)
    if bytes and is_full(bytes) then break end
  end
end
return found
`,
  decode: messages
})

/** Some messages of a place, at most `limit`; of what waits the oldest comes first. */
export const look = (
  redis: RedisConnection,
  keys: Keys,
  place: Place,
  limit: number
): Effect.Effect<ReadonlyArray<Uint8Array>, RedisError> =>
  limit < 1 ? Effect.succeed([]) : redis.run(peek, { ...keys }, { place, limit, max_bytes: answerBytes })
