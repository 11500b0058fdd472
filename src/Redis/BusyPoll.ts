/**
 * Waiting awake for a reply, as kernels do with a fast device. A process that sleeps is woken later than a Redis near by has
 * answered, and to fall asleep and wake up takes as much of a core as to wait; so the event loop comes round without sleeping
 * for as long as such an answer takes. Where answers take longer, as from another machine, it soon sleeps at once.
 */

/** Milliseconds awake without an answer: a busy Redis on the same machine needs a third of them. */
const most = 0.1

/**
 * So often it may stay awake in vain: an answer of a Redis near by is late now and then, or a few times in a row where others
 * want its core. A turn of the event loop that brings an answer gives a tenth of one back.
 */
const allowance = 50
const earned = 0.1

/** Milliseconds in which it sleeps at once when that is used up. */
const rest = 100

/** So often it may try in vain after each rest: half a millisecond in a hundred. */
const tries = 5

export class BusyPoll {
  private readonly isDue: () => boolean
  private readonly clock: () => number
  private awake = false
  private isAnswered = false
  /** When the event loop came round last. */
  private lookedAt = 0
  /** When it falls asleep. */
  private until = 0
  private allowed = allowance
  /** It does not stay awake before. */
  private since = Number.NEGATIVE_INFINITY

  /** `isDue`: whether an answer is; `clock`: milliseconds. */
  constructor(isDue: () => boolean, clock: () => number = () => performance.now()) {
    this.isDue = isDue
    this.clock = clock
  }

  /** Whether it keeps the event loop from sleeping. */
  get isAwake(): boolean {
    return this.awake
  }

  /** A command has been sent, at `now` by the clock. */
  sent(now: number): void {
    if (this.awake || now < this.since) return
    this.awake = true
    this.isAnswered = false
    this.lookedAt = Number.NEGATIVE_INFINITY
    setImmediate(this.turn)
  }

  /** An answer has come. */
  answered(): void {
    this.isAnswered = true
  }

  private readonly turn = (): void => {
    const now = this.clock()
    if (this.isAnswered) this.allowed = Math.min(allowance, this.allowed + earned)
    // What the process has done for longer than an answer takes was no waiting: none could be read meanwhile.
    if (this.isAnswered || now - this.lookedAt > most) this.until = now + most
    this.isAnswered = false
    this.lookedAt = now
    this.awake = this.isDue() && now < this.until
    if (this.awake) setImmediate(this.turn)
    else if (this.isDue()) this.missed(now)
  }

  private missed(now: number): void {
    this.allowed -= 1
    if (this.allowed >= 1) return
    this.allowed = tries
    this.since = now + rest
  }
}
