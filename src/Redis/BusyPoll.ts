/**
 * Waiting awake for a reply, as kernels do with a fast device. A process that sleeps is woken later than a Redis near by has
 * answered, and to fall asleep and wake up takes more of a core than to wait; so the event loop comes round without sleeping
 * for as long as such an answer takes. Where answers take longer, as from another machine, it sleeps at once.
 */

/** Milliseconds awake for one answer: a Redis on the same machine has answered in a third of them. */
const most = 0.1

/**
 * So often it may stay awake in vain: an answer of a Redis near by is late now and then, or a few times in a row where others
 * want its core. An answer in time gives a tenth of one back.
 */
const allowance = 25

/** Milliseconds asleep when that is used up. */
const rest = 1_000

/** So often it may try in vain after each rest: 0.05 % of a core. */
const tries = 5

export class BusyPoll {
  readonly #isDue: () => boolean
  #isAwake = false
  #isAnswered = false
  /** When it falls asleep, by `performance.now()`. */
  #until = 0
  #allowed = allowance
  /** It does not stay awake before. */
  #since = 0

  /** `isDue`: whether an answer is. */
  constructor(isDue: () => boolean) {
    this.#isDue = isDue
  }

  /** Whether the event loop does not sleep. */
  get isAwake(): boolean {
    return this.#isAwake
  }

  /** A command has been sent, at `now` by `performance.now()`. */
  sent(now: number): void {
    if (this.#isAwake || now < this.#since) return
    this.#isAwake = true
    this.#isAnswered = false
    this.#until = now + most
    setImmediate(this.#turn)
  }

  /** An answer has come. */
  answered(): void {
    this.#isAnswered = true
  }

  readonly #turn = (): void => {
    const now = performance.now()
    if (this.#isAnswered) {
      this.#isAnswered = false
      this.#allowed = Math.min(allowance, this.#allowed + 0.1)
      // Others may be due: each gets as long.
      this.#until = now + most
    }
    this.#isAwake = this.#isDue() && now < this.#until
    if (this.#isAwake) setImmediate(this.#turn)
    else if (this.#isDue()) this.#missed(now)
  }

  #missed(now: number) {
    this.#allowed -= 1
    if (this.#allowed >= 1) return
    this.#allowed = tries
    this.#since = now + rest
  }
}
