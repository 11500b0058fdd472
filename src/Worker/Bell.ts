/**
 * Tells those who wait that something has happened; rung while nobody waits, it keeps that for the next who asks. A queue of one
 * would do the same, and take several steps of the runtime to ask.
 */
import * as Effect from "effect/Effect"

export class Bell {
  private hasRung = false
  private readonly waiters = new Set<() => void>()

  ring(): void {
    if (this.waiters.size === 0) {
      this.hasRung = true
      return
    }
    const waiters = [...this.waiters]
    this.waiters.clear()
    for (const wake of waiters) wake()
  }

  /** Whether it has rung since somebody last asked or waited. */
  poll(): boolean {
    const hasRung = this.hasRung
    this.hasRung = false
    return hasRung
  }

  /** Waits until it rings, not at all where it has rung before. */
  readonly wait: Effect.Effect<void> = Effect.suspend(() => (this.poll() ? Effect.void : this.ringing))

  private readonly ringing = Effect.async<void>((resume) => {
    // A fiber may make way for others between its question and its wait.
    if (this.poll()) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    this.waiters.add(wake)
    return Effect.sync(() => {
      this.waiters.delete(wake)
    })
  })
}
