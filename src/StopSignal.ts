/**
 * The request to end an attempt early. It is a value, not fiber interruption: interrupting a send that waits for the
 * reply after the final dot would close the connection and lose the answer.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"

/** Why an attempt is asked to stop: its time is over, its lease went to another worker, or this worker drains. */
export type StopReason = "Deadline" | "LeaseLost" | "Drain"

/** Completed at most once, with the first reason given. */
export interface StopSignal extends Deferred.Deferred<StopReason> {}

/** Makes a signal; synchronous, since one is made for every attempt. */
export const unsafeMake = (): StopSignal => Deferred.unsafeMake(FiberId.none)

/** A signal nobody gives: for a mail that is sent directly. */
export const never: StopSignal = unsafeMake()

/** Gives the signal; later calls change nothing. */
export const stop = (signal: StopSignal, reason: StopReason): Effect.Effect<void> =>
  Effect.asVoid(Deferred.succeed(signal, reason))

/** Waits for the signal. */
export const wait = (signal: StopSignal): Effect.Effect<StopReason> => Deferred.await(signal)
