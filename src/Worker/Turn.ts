/**
 * One turn of the take loop: tells the store what has ended, and starts what it grants.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Huey from "../Huey.ts"
import type { Buried, Exchange, Grant, JobStore, JobStoreError, Settlement } from "../JobStore.ts"
import * as Metrics from "../Metrics.ts"
import * as Monotonic from "../Monotonic.ts"
import * as Fork from "./Fork.ts"
import type { Hand } from "./Hand.ts"
import type { Asking, InHand } from "./InHand.ts"
import type { Performer } from "./Performer.ts"
import type { StoreTime } from "./StoreTime.ts"

export interface Options<out R> {
  readonly store: Context.Tag.Service<JobStore>
  readonly storeTime: StoreTime
  readonly inHand: InHand
  readonly codec: Huey.Codec
  /** What an attempt may take, milliseconds. */
  readonly timeout: number
  readonly performer: Performer<R>
}

/** What the store said beside its grants. */
export interface Taken {
  /** Milliseconds until something is due; absent: nothing is. */
  readonly due: number | undefined
  /** It had as many as were asked for: there may be more. */
  readonly mayBeMore: boolean
}

export interface Turn<out R> {
  /** Settles, takes and starts. Never interrupted. */
  readonly take: Effect.Effect<Taken, JobStoreError, R>
  /**
   * Waits for an arrival and starts what was granted of it; whether the loop has to come round, for more or for what is due
   * soon. Interrupted only while it waits.
   */
  readonly arrive: Effect.Effect<boolean, JobStoreError, R>
  /** From then on a turn settles and takes nothing. */
  readonly stopTaking: Effect.Effect<void>
}

/** What is due later than that is told again by the next wake-up, or by the loop that misses it. Milliseconds. */
const dueSoon = 15_000

const logBuried = (codec: Huey.Codec, { bytes, letter }: Buried) =>
  Effect.annotateLogs(
    Effect.logError(`dead: ${letter.reason}: ${letter.detail}, ${letter.deliveries} times`),
    Either.match(codec.decode(bytes), {
      onLeft: () => ({ id: "?", job: "?" }),
      onRight: ({ id, name }) => ({ id, job: name })
    })
  )

const logSettled = (inHand: InHand, settlements: ReadonlyArray<Settlement>, settled: Exchange["settled"]) =>
  Effect.forEach(
    settlements.filter((settlement, index) => settled[index] === false && !inHand.wasToldBefore(settlement)),
    (settlement) => {
      const known = inHand.jobOf(settlement)
      return Effect.annotateLogs(
        Effect.logError(`settled too late (${settlement._tag}): the lease was over, it may be done twice`),
        { id: known?.jobId ?? "?", job: known?.job ?? "?" }
      )
    },
    { discard: true }
  )

export const make = <R>(options: Options<R>): Turn<R> => {
  const { codec, inHand, performer, store, storeTime, timeout } = options
  const isLate = (millis: number) => millis > Duration.toMillis(store.lease) / 3
  const withFork = Fork.make<R>()
  let taking = true

  /** What is not begun, for nobody knows whether it is still ours, goes back. */
  const extendLate = (grants: ReadonlyArray<Grant>) =>
    Effect.tapError(store.extend(grants.map(({ lease }) => lease)), () =>
      Effect.sync(() => {
        for (const grant of grants) inHand.release(grant)
      })
    )

  /** Grants whose leases still hold. One that would be begun late may have lost its lease meanwhile. */
  const stillHeld = (grants: ReadonlyArray<Grant>, millis: number) =>
    grants.length === 0 || !isLate(millis)
      ? Effect.succeed(grants)
      : Effect.flatMap(extendLate(grants), (held) => {
          const kept = grants.filter((_, index) => held[index] === true)
          return Effect.as(
            Effect.logWarning(`${grants.length} grants came ${millis} ms late, ${kept.length} of them still hold`),
            kept
          )
        })

  /** An attempt, with the settlement that it leaves in the hand. */
  const begin = (hand: Hand): Effect.Effect<void, never, R> => {
    const { grant } = hand
    const onSuccess = (settlement: Settlement | undefined) => {
      inHand.finish(hand, settlement)
      return Effect.void
    }
    const onFailure = (cause: Cause.Cause<never>) => Effect.flatMap(performer.failed(grant, cause), onSuccess)
    try {
      return Effect.matchCauseEffect(performer.begin(grant, hand), { onFailure, onSuccess })
    } catch (defect) {
      return onFailure(Cause.die(defect))
    }
  }

  /**
   * Starts the attempts, each on a fiber of its own that runs at once: it is over before the next one begins where its
   * handler waits for nothing.
   */
  const start = (hands: ReadonlyArray<Hand>) =>
    withFork((fork) => {
      for (const hand of hands) {
        // First: it reads the message, which says which job it is.
        const attempt = begin(hand)
        hand.fiber = fork(attempt, hand.job?.jobId)
      }
    })

  /** `answered`: an answer that is there, and at which monotonic millisecond it was given. */
  const exchange = Effect.fnUntraced(function* (asking: Asking, answered?: { reply: Exchange; at: number }) {
    const { free, settlements, suspects } = asking
    const clock = yield* Effect.clock
    const askedAt = answered?.at ?? Monotonic.unsafeMillis(clock)
    const reply =
      answered?.reply ??
      // Nothing interrupts it, and this is less than what Effect does where something may.
      (yield* Effect.tapErrorCause(store.exchange(settlements, free, suspects), () =>
        Effect.sync(() => inHand.notTold(asking))
      ))
    const now = Monotonic.unsafeMillis(clock)
    const mayBeMore = inHand.told(asking, reply.grants.length)
    storeTime.sync(reply.now, now)
    if (reply.settled.includes(false)) yield* logSettled(inHand, settlements, reply.settled)
    for (const buried of reply.buried) yield* logBuried(codec, buried)
    if (reply.duplicates > 0) yield* Effect.logInfo(`left out ${reply.duplicates} that a producer had pushed twice`)
    const kept = yield* stillHeld(reply.grants, now - askedAt)
    const hands: Array<Hand> = []
    for (const grant of kept) {
      if (taking) hands.push(inHand.hold(grant, now, timeout))
      else inHand.release(grant)
    }
    inHand.answered(asking)
    yield* start(hands)
    Metrics.unsafeTurn(inHand.size, reply.now)
    return { due: reply.nextDueIn, mayBeMore: taking && mayBeMore }
  })

  /** What was granted while other jobs took the slots goes back. */
  const arrived = Effect.fnUntraced(function* (reply: Exchange, free: number) {
    const room = inHand.free
    for (const grant of reply.grants.slice(room)) inHand.release(grant)
    // By the store's clock, for the answer says nothing of when the wait for it was over.
    const clock = yield* Effect.clock
    const age = storeTime.unsafeNow(clock) - reply.now
    const at = Monotonic.unsafeMillis(clock) - Math.max(0, age)
    const asking = inHand.hear(free)
    const { due, mayBeMore } = yield* Effect.ensuring(
      exchange(asking, { reply: { ...reply, grants: reply.grants.slice(0, room) }, at }),
      Effect.sync(() => inHand.answered(asking))
    )
    return mayBeMore || reply.grants.length > room || (due !== undefined && due < dueSoon)
  })

  return {
    arrive: Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const free = taking ? inHand.share : 0
        if (free === 0) return Effect.succeed(true)
        return Effect.flatMap(restore(store.arrival(free)), (reply) =>
          reply === undefined ? Effect.succeed(true) : arrived(reply, free)
        )
      })
    ),
    take: Effect.suspend(() => {
      const wasTaking = taking
      const asking = inHand.ask(wasTaking)
      const end = () => {
        inHand.answered(asking)
        // Whoever stops the worker meanwhile waits for it, and tells what it granted.
        if (wasTaking && !taking) inHand.changed.ring()
      }
      return Effect.matchCauseEffect(exchange(asking), {
        onSuccess: (taken) => {
          end()
          return Effect.succeed(taken)
        },
        onFailure: (cause) => {
          end()
          return Effect.failCause(cause)
        }
      })
    }).pipe(Effect.uninterruptible),
    stopTaking: Effect.sync(() => {
      taking = false
    })
  }
}
