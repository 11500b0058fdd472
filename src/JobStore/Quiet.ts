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

/** Milliseconds in which glances may follow one another: then keys and rights are checked again. */
const glancesFor = 300_000

/**
 * Milliseconds and exchanges after which one is whole again. A wrong key or a right that was taken away meanwhile makes a
 * script fail halfway: as all is copied before it is removed, what it granted is granted again when its leases end, and the
 * next exchange is a whole one that finds the fault before it copies anything.
 */
const wholeEvery = { millis: 1_000, exchanges: 16 }

/** Says which exchanges may be a glance, and which have to be whole: those check keys and rights, and clear old things away. */
export class Quiet {
  private wholeAt = Number.NEGATIVE_INFINITY
  /** Exchanges since. */
  private since = 0

  /** Whether the exchange at this monotonic millisecond may be a glance, which has nothing to tell. */
  allows(now: number): boolean {
    return now - this.wholeAt < glancesFor
  }

  /** Whether the exchange at this monotonic millisecond has to be a whole one. */
  isWhole(now: number): boolean {
    return now - this.wholeAt >= wholeEvery.millis || this.since >= wholeEvery.exchanges
  }

  /** An exchange was answered that was no glance. */
  answered(now: number, isWhole: boolean): void {
    this.since += 1
    if (!isWhole) return
    this.wholeAt = now
    this.since = 0
  }

  /** Something was refused: the next exchange is a whole one. */
  doubt(): void {
    this.wholeAt = Number.NEGATIVE_INFINITY
  }
}
