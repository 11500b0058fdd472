/**
 * Ids of jobs are UUIDs of version 7 (RFC 9562): the time of enqueueing can be read from the id.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0")

/** Makes an id from the Clock's milliseconds and 74 bits of Random. */
export const make: Effect.Effect<string> = Effect.gen(function* () {
  const now = hex(yield* Clock.currentTimeMillis, 12)
  const a = hex(0x7000 + (yield* Random.nextIntBetween(0, 0x1000)), 4)
  const b = hex(0x8000 + (yield* Random.nextIntBetween(0, 0x4000)), 4)
  const c = hex(yield* Random.nextIntBetween(0, 2 ** 24), 6) + hex(yield* Random.nextIntBetween(0, 2 ** 24), 6)
  return `${now.slice(0, 8)}-${now.slice(8)}-${a}-${b}-${c}`
})

const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** Milliseconds since the epoch at which the job was enqueued; none for an id of another kind, as Python's are. */
export const enqueuedAt = (id: string): Option.Option<number> =>
  version7.test(id)
    ? Option.some(Number.parseInt(id.slice(0, 8), 16) * 0x10000 + Number.parseInt(id.slice(9, 13), 16))
    : Option.none()
