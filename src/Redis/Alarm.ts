/**
 * One timer for all that waits on a link: a timer for each command costs more than to look, when it goes off, who is late.
 */

/** What waits, and until when. */
export interface Waiting {
  /** Milliseconds by `performance.now()`. */
  readonly until: number
}

/** A timer that is set to the earliest of many times. */
export class Alarm<A extends Waiting> {
  private readonly waiting: ReadonlySet<A>
  private readonly late: (waiting: A) => void
  private timer: NodeJS.Timeout | undefined
  /** When the timer goes off; nothing waits for an earlier time. */
  private at = Number.POSITIVE_INFINITY

  /** `late` is told of the first that has waited too long, and clears away what then waits no longer. */
  constructor(waiting: ReadonlySet<A>, late: (waiting: A) => void) {
    this.waiting = waiting
    this.late = late
  }

  /** Something waits until then. */
  set(until: number, now: number): void {
    if (until >= this.at) return
    clearTimeout(this.timer)
    this.at = until
    this.timer = setTimeout(this.ring, until - now)
  }

  clear(): void {
    clearTimeout(this.timer)
    this.at = Number.POSITIVE_INFINITY
  }

  private readonly ring = (): void => {
    this.at = Number.POSITIVE_INFINITY
    const now = performance.now()
    let next: A | undefined
    for (const one of this.waiting) if (next === undefined || one.until < next.until) next = one
    // Timers count whole milliseconds, and may go off a little early.
    if (next === undefined) return
    if (next.until > now + 1) this.set(next.until, now)
    else this.late(next)
  }
}
