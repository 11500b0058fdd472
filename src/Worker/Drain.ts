/**
 * The end of a worker: what is in hand gets its grace time, what ended is settled, the rest is released.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { JobStore, JobStoreError } from "../JobStore.ts"
import * as Monotonic from "../Monotonic.ts"
import type { InHand } from "./InHand.ts"
import { storePause } from "./Outage.ts"

/** What a handler that was told to stop at the end of the grace time gets before it is interrupted. */
const timeToHeed = Duration.millis(250)

/** What settling may take after the grace time. */
const lastSettling = Duration.seconds(1)

/** What asking for the rest may take: a store that did not answer before is not asked. */
const lastLook = Duration.millis(200)

/** Goes on in the background where it takes longer, or until `enough`: a store that hangs must not hold up the stop. */
const atMost = <A, R>(
  effect: Effect.Effect<A, never, R>,
  limit: Duration.Duration,
  enough: Effect.Effect<unknown> = Effect.never
) =>
  Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) =>
    Effect.raceFirst(Fiber.await(fiber), enough).pipe(
      Effect.interruptible,
      Effect.timeoutOption(limit),
      Effect.zipRight(Fiber.interruptFork(fiber))
    )
  )

export interface Options<out R> {
  readonly store: Context.Tag.Service<JobStore>
  /** What puts back what is left in the worker's own keys; absent: the log does not speak of it. */
  readonly command: string | undefined
  readonly inHand: InHand
  /** One exchange with the store. */
  readonly turn: Effect.Effect<unknown, JobStoreError, R>
  readonly grace: Duration.Duration
  /** Completes when the grace time is to end at once: on a second signal. */
  readonly hurry: Effect.Effect<void>
  /** From then on an exchange takes nothing. */
  readonly stopTaking: Effect.Effect<void>
}

/** Ends the take loop and what it has taken; takes little longer than the grace time, whatever the store does. */
export const make = <R>({ command, grace, hurry, inHand, stopTaking, store, turn }: Options<R>) => {
  /** Another kind of worker does not find what is kept in keys of ours. */
  const tellRest = store.counts.pipe(
    Effect.flatMap(({ inHand, retrying }) =>
      inHand + retrying === 0
        ? Effect.void
        : Effect.logInfo(
            `${retrying} to be tried again and ${inHand} in hand of others are kept for workers of this kind; ` +
              `before a Python worker takes over, run: ${command}`
          )
    ),
    Effect.catchAll((error) => Effect.logDebug(`what is left is not known: ${error.detail}`))
  )

  /** Settles until nothing is in hand. */
  const settleAll = Effect.gen(function* () {
    while (!inHand.isIdle) {
      const told = yield* Effect.either(turn)
      if (told._tag === "Left") yield* Effect.sleep(storePause)
      else if (!inHand.isIdle) yield* inHand.changed.wait
    }
  })

  return Effect.fnUntraced(function* (
    loop: Fiber.RuntimeFiber<never, JobStoreError>
  ): Effect.fn.Return<void, never, R> {
    yield* stopTaking
    yield* Fiber.interruptFork(loop)
    if (inHand.size > 0) {
      yield* Effect.logInfo(`stopping, ${inHand.size} in hand get up to ${Duration.format(grace)}`)
    }
    // The loop may be in the middle of an exchange, whose grants are then released.
    const begun = yield* Monotonic.millis
    yield* atMost(Fiber.await(loop), Duration.min(lastSettling, grace), hurry)
    const left = Duration.toMillis(grace) - ((yield* Monotonic.millis) - begun)
    yield* atMost(settleAll, Duration.millis(left), hurry)
    yield* inHand.stopAll("Drain")
    yield* atMost(settleAll, timeToHeed)
    yield* inHand.interruptAll()
    yield* atMost(settleAll, lastSettling)
    if (inHand.size > 0) {
      yield* Effect.logWarning(
        `${inHand.size} in hand did not end; they come back when their leases end: ${inHand.jobIds.join(" ")}`
      )
    }
    if (command !== undefined && inHand.size + inHand.untold === 0) yield* atMost(tellRest, lastLook)
    if (inHand.untold > 0) {
      yield* Effect.logWarning(`${inHand.untold} that ended could not be settled; they may be done twice`)
    }
    yield* Effect.logInfo("stopped")
  })
}
