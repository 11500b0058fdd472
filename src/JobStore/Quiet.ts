/**
 * The glance of an idle worker: where no key has anything to take, to reclaim or to wait for, an exchange needs no more of
 * Redis than to know that.
 */
import type { Keys } from "../Redis/keys.ts"

/** What an exchange without settlements may find work in. */
const keys = ["queue", "arrived", "schedule", "inflight", "delayed"] as const satisfies ReadonlyArray<keyof Keys>

/**
 * In front of a script with the argument `quiet`: where that is 1 and there is no work, it answers with Redis' time. An ACL
 * without EXISTS costs the glance and nothing else.
 */
export const glance = `
if arg_quiet == '1' and redis.pcall('EXISTS', ${keys.map((key) => `key_${key}`).join(", ")}) == 0 then
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`

/** Milliseconds after which an exchange is a whole one again: it checks keys and rights, and clears what is too old away. */
const wholeEvery = 300_000

/** Says which exchanges may be a glance. */
export class Quiet {
  private wholeAt = Number.NEGATIVE_INFINITY

  /** Whether the exchange at this monotonic millisecond may be one, which has nothing to tell. */
  allows(now: number): boolean {
    return now - this.wholeAt < wholeEvery
  }

  /** A whole exchange was answered. */
  whole(now: number): void {
    this.wholeAt = now
  }

  /** Something was refused that a glance does not try: the next exchange is a whole one. */
  doubt(): void {
    this.wholeAt = Number.NEGATIVE_INFINITY
  }
}
