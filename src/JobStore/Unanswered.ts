/**
 * Exchanges that got no answer: what they granted is taken back by the next ones, which name them.
 */

/** An exchange, and the monotonic millisecond after which Redis begins it no more. */
interface Lost {
  readonly nonce: string
  readonly until: number
}

/**
 * How many exchanges that got no answer are named in the next one: an hour of an outage has a few thousand. The first three
 * of it were under way at a time and may have been executed, and so may the last ones.
 */
const most = 64

/** The exchanges of a worker that are under way at a time: two of its loop, one behind the wake-up call. */
const underWay = 3

export class Unanswered {
  private lost: ReadonlyArray<Lost> = []

  /** `until`: where Redis may begin it later than the next one. */
  add(nonce: string, until = Number.NEGATIVE_INFINITY): void {
    const all = [...this.lost, { nonce, until }]
    this.lost = all.length > most ? [...all.slice(0, underWay), ...all.slice(underWay - most)] : all
  }

  /** What the next exchange names. */
  get nonces(): ReadonlyArray<string> {
    return this.lost.map(({ nonce }) => nonce)
  }

  /** An exchange was answered, at this monotonic millisecond, that named these; others may have got no answer since. */
  told(nonces: ReadonlyArray<string>, now: number): void {
    if (nonces.length > 0) this.lost = this.lost.filter(({ nonce, until }) => until > now || !nonces.includes(nonce))
  }
}
