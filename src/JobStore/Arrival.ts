/**
 * The wake-up: a blocking move, on a connection of its own, that the exchange stands behind. It is a hint and no more;
 * polling works without it.
 */
import * as Duration from "effect/Duration"
import type { Wait } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"

/** So long after the end of its wait a wake-up call must have answered. Milliseconds. */
const margin = 5_000

/** How often is looked for messages where the wake-up call is switched off. */
export const pollInterval = Duration.seconds(1)

const isUnknown = (error: unknown) => error instanceof Error && error.message.includes("unknown command")

/** Waits until a message came, or so many seconds. */
export const make = (keys: Keys, seconds: number): Wait => {
  // BLMOVE came with Redis 6.2; BRPOPLPUSH does the same and is known everywhere.
  let isOld = false
  return {
    silence: Math.ceil(seconds) * 1_000 + margin,
    command: (client) =>
      isOld
        ? client.brpoplpush(keys.queue, keys.arrived, Math.ceil(seconds))
        : client.blmove(keys.queue, keys.arrived, "RIGHT", "LEFT", seconds).catch((error: unknown) => {
            if (!isUnknown(error)) throw error
            isOld = true
            return null
          })
  }
}
