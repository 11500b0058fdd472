/**
 * Ids of jobs are UUIDs of version 7 (RFC 9562): the time of enqueueing can be read from the id.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

/** An id, and the time in it, milliseconds since the epoch. */
export interface Stamp {
  readonly id: string
  readonly now: number
}

/** The digits of an integer of at most 24 bits: of larger ones they are found in a slow way. */
const hex = (value: number, digits: number) => (value + 2 ** 24).toString(16).slice(7 - digits)

/** 48 bits. */
const time = (millis: number) =>
  `${hex(Math.floor(millis / 2 ** 32), 4)}${hex(Math.floor(millis / 2 ** 16) % 2 ** 16, 4)}-${hex(millis % 2 ** 16, 4)}`

/** Makes an id from the Clock's milliseconds and 74 bits of Random: 12 + 24 behind the version, 14 + 24 behind the variant. */
export const stamp: Effect.Effect<Stamp> = Effect.withFiberRuntime((fiber) => {
  const services = fiber.currentDefaultServices
  const random = Context.get(services, Random.Random)
  return Effect.flatMap(random.nextIntBetween(0, 2 ** 36), (one) =>
    Effect.flatMap(random.nextIntBetween(0, 2 ** 38), (two) => {
      const now = Context.get(services, Clock.Clock).unsafeCurrentTimeMillis()
      const a = hex(0x7000 + Math.floor(one / 2 ** 24), 4)
      const b = hex(0x8000 + Math.floor(two / 2 ** 24), 4)
      const id = `${time(now)}-${a}-${b}-${hex(one % 2 ** 24, 6)}${hex(two % 2 ** 24, 6)}`
      return Effect.succeed({ id, now })
    })
  )
})

/** An id of a job that is enqueued now. */
export const make: Effect.Effect<string> = Effect.map(stamp, ({ id }) => id)

const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** Milliseconds since the epoch at which the job was enqueued; none for an id of another kind, as Python's are. */
export const enqueuedAt = (id: string): Option.Option<number> =>
  version7.test(id)
    ? Option.some(Number.parseInt(id.slice(0, 8), 16) * 0x10000 + Number.parseInt(id.slice(9, 13), 16))
    : Option.none()
