/**
 * The scripts of the heartbeat, of the summary, and for those who look.
 */
import * as Either from "effect/Either"
import * as Script from "../Redis/Script.ts"
import { allowWrites, custody, keyNames, number, numbers, presence, withWorkers } from "./custody.ts"

/** A worker's sign of life, which extends its leases; `id token` behind the named arguments. */
export const extend = Script.make({
  name: "extend",
  keys: withWorkers,
  args: ["worker", "lease", "held"],
  body: `${custody}${presence}
${allowWrites}
announce(arg_worker, arg_lease)
local held = {}
for i = first_rest, #ARGV, 2 do
  local meta = read_meta(ARGV[i])
  if meta and meta.token == ARGV[i + 1] then
    redis.call('ZADD', key_inflight, score(now + arg_held), ARGV[i])
    held[#held + 1] = 1
  else
    held[#held + 1] = 0
  end
end
return held
`,
  decode: (reply) => {
    const flags = numbers(reply)
    return flags === undefined ? Either.left("not a list of numbers") : Either.right(flags.map((flag) => flag === 1))
  }
})

/** Counts what there is, by the length of each key. */
export const counts = Script.make({
  name: "counts",
  keys: keyNames,
  args: [],
  body: `
return {
  redis.call('LLEN', key_queue) + redis.call('LLEN', key_arrived),
  redis.call('ZCARD', key_schedule),
  redis.call('ZCARD', key_inflight),
  redis.call('ZCARD', key_delayed),
  redis.call('XLEN', key_dead)
}
`,
  decode: (reply) => {
    const [waiting, scheduled, inHand, retrying, dead] = numbers(reply) ?? []
    return dead === undefined ||
      waiting === undefined ||
      scheduled === undefined ||
      inHand === undefined ||
      retrying === undefined
      ? Either.left("not five numbers")
      : Either.right({ waiting, scheduled, inHand, retrying, dead })
  }
})

/** A worker that stops gives no sign of life any more. */
export const leave = Script.make({
  name: "leave",
  keys: ["workers"],
  args: ["worker"],
  body: `return redis.call('ZREM', key_workers, arg_worker)`,
  decode: number
})

/** How many workers gave a sign of life that still counts. */
export const workers = Script.make({
  name: "workers",
  keys: withWorkers,
  args: [],
  body: `${custody}${presence}
return alive()
`,
  decode: number
})

/** Writes and changes nothing: it fails where a write would. */
export const writable = Script.make({
  name: "writable",
  keys: keyNames,
  args: [],
  body: `
return ${allowWrites}
`,
  decode: (reply) => Either.map(number(reply), () => undefined)
})
