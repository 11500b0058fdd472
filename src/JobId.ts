/**
 * Ids of jobs are UUIDs of version 7 (RFC 9562): the time of enqueueing can be read from the id.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** An id, and the time in it, milliseconds since the epoch. */
export interface Stamp {
  readonly id: string
  readonly now: number
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0")

/** The two draws of an id: 12 + 24 bits behind the version, 14 + 24 behind the variant. */
const first = { bits: 2 ** 36, version: 7 * 2 ** 36 }
const second = { bits: 2 ** 38, variant: 2 * 2 ** 38 }

/** Makes an id from the Clock's milliseconds and 74 bits of Random. */
export const stamp: Effect.Effect<Stamp> = Effect.clockWith((clock) =>
  Effect.randomWith((random) =>
    Effect.zipWith(random.nextIntBetween(0, first.bits), random.nextIntBetween(0, second.bits), (one, two) => {
      const now = clock.unsafeCurrentTimeMillis()
      const time = hex(now, 12)
      const a = hex(first.version + one, 10)
      const b = hex(second.variant + two, 10)
      const id = `${time.slice(0, 8)}-${time.slice(8)}-${a.slice(0, 4)}-${b.slice(0, 4)}-${a.slice(4)}${b.slice(4)}`
      return { id, now }
    })
  )
)

/** An id of a job that is enqueued now. */
export const make: Effect.Effect<string> = Effect.map(stamp, ({ id }) => id)

const version7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** Milliseconds since the epoch at which the job was enqueued; none for an id of another kind, as Python's are. */
export const enqueuedAt = (id: string): Option.Option<number> => {
  const parts = version7.exec(id)
  return parts === null ? Option.none() : Option.some(Number.parseInt(`${parts[1]}${parts[2]}`, 16))
}
