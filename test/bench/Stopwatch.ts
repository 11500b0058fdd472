/**
 * Times calls that follow each other, in a measured loop: nothing but two clock readings and a write a call.
 */

/** Milliseconds by share of the laps, `sorted` in ascending order. */
const quantile = (sorted: Float64Array, share: number) =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN

/** The first `warmup` laps do not count: a server has enqueued thousands before. */
export class Stopwatch {
  readonly #laps: Float64Array
  readonly #warmup: number
  #done = 0
  #began = 0
  #ended = 0

  constructor(count: number, warmup: number) {
    this.#laps = new Float64Array(count)
    this.#warmup = warmup
  }

  /** Notes a call that began at `began` and ended at `ended`, milliseconds. */
  lap(began: number, ended: number) {
    const index = this.#done++ - this.#warmup
    if (index < 0) return
    if (index === 0) this.#began = began
    this.#laps[index] = ended - began
    this.#ended = ended
  }

  get isFull() {
    return this.#done >= this.#laps.length + this.#warmup
  }

  /** Calls a second, and how long half of them took at most and 99 of 100, milliseconds. */
  figures() {
    const sorted = this.#laps.slice().sort()
    return {
      rate: (1_000 * sorted.length) / (this.#ended - this.#began),
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99)
    }
  }
}
