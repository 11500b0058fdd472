/**
 * The request to end an attempt early. It is a value, not fiber interruption: interrupting a send that waits for the
 * reply after the final dot would close the connection and lose the answer.
 */
import * as Effect from "effect/Effect"

/** Why an attempt is asked to stop: its time is over, its lease went to another worker, or this worker drains. */
export type StopReason = "Deadline" | "LeaseLost" | "Drain"

/** Given at most once, with the first reason. One is made for every attempt, so it is plain and synchronous. */
export class StopSignal {
  private given: StopReason | undefined
  /** Made for the first of them: most attempts end before anybody listens. */
  private listeners: Set<(reason: StopReason) => void> | undefined

  /** Absent: it is not given. */
  get reason(): StopReason | undefined {
    return this.given
  }

  /** Gives the signal; later calls change nothing. */
  unsafeGive(reason: StopReason): void {
    if (this.given !== undefined) return
    this.given = reason
    for (const listener of this.listeners ?? []) listener(reason)
    this.listeners = undefined
  }

  /** Calls `listener` when the signal is given, at once where it was; answers with what takes that back. */
  unsafeListen(listener: (reason: StopReason) => void): () => void {
    if (this.given !== undefined) {
      listener(this.given)
      return () => {}
    }
    this.listeners ??= new Set()
    this.listeners.add(listener)
    return () => this.listeners?.delete(listener)
  }
}

/** Makes a signal. */
export const unsafeMake = (): StopSignal => new StopSignal()

/** A signal nobody gives: for a mail that is sent directly. */
export const never: StopSignal = unsafeMake()

/** Gives the signal; later calls change nothing. */
export const stop = (signal: StopSignal, reason: StopReason): Effect.Effect<void> =>
  Effect.sync(() => signal.unsafeGive(reason))

/** Waits for the signal. */
export const wait = (signal: StopSignal): Effect.Effect<StopReason> =>
  Effect.async((resume) => {
    const forget = signal.unsafeListen((reason) => resume(Effect.succeed(reason)))
    return Effect.sync(forget)
  })
