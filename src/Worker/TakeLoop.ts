/**
 * The take loop and what keeps it going: the wake-up that tells it of arrivals, and the watchdog that finds it stuck. The
 * worst fault of a worker is to live on after an outage and take nothing.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as EventLoop from "../EventLoop.ts"
import type { JobStore, JobStoreError } from "../JobStore.ts"
import * as Monotonic from "../Monotonic.ts"
import { Bell } from "./Bell.ts"
import type { InHand } from "./InHand.ts"
import type { Outage } from "./Outage.ts"
import type { Taken } from "./Turn.ts"

export interface Options<out R> {
  readonly store: Context.Tag.Service<JobStore>
  readonly inHand: InHand
  readonly outage: Outage
  /** One exchange with the store. */
  readonly turn: Effect.Effect<Taken, JobStoreError, R>
  /** Takes what arrives, once; answers whether a turn is due. */
  readonly arrive: Effect.Effect<boolean, JobStoreError, R>
  /** Extends the leases in hand. */
  readonly beat: Effect.Effect<void>
}

export interface TakeLoop<out R> {
  /** Fails only where the store never answered and the patience with it is over. */
  readonly run: Effect.Effect<never, JobStoreError, R>
  /** Takes what arrives where there is a free slot, until the loop has to come round. */
  readonly wakeUp: Effect.Effect<void, never, R>
  /** Looks once whether the loop still comes round. */
  readonly watch: Effect.Effect<void>
  /** Whether the store answered an exchange within so long. */
  readonly isTaking: (within: Duration.Duration) => Effect.Effect<boolean>
}

/** An exchange comes round at least so often, whatever the wake-up does. Milliseconds. */
const longestWait = 30_000

/** And a little after the wake-up should have come back, by default after 10 seconds: a store may hang. Milliseconds. */
const longestSilence = 11_000

/** Without a free slot nothing wakes it up but a job that ends. Milliseconds. */
const longestFull = 10_000

/** The shortest wait between two exchanges that have nothing to do: a store that is always due must not spin us. */
const shortestWait = 20

/** No command may take so long, and it waits no longer: a loop that does not come round for this time is stuck. Milliseconds. */
const stuckAfter = 20_000

/** After a failed wake-up the next one waits so long; an interval of polling meanwhile. */
const wakeUpPause = Duration.seconds(1)

/** So often the event loop comes round at most before few of many jobs are told that have ended. */
const turnsToGather = 8

export const make = Effect.fnUntraced(function* <R>({
  arrive,
  beat,
  inHand,
  outage,
  store,
  turn
}: Options<R>): Effect.fn.Return<TakeLoop<R>> {
  const idle = new Bell()
  let triedAt = yield* Monotonic.millis
  let answeredAt = Number.NEGATIVE_INFINITY
  /** The wake-up came back without anything, and when it did so last. */
  const heard = new Bell()
  let heardAt = Number.NEGATIVE_INFINITY

  const cameRound = Effect.map(Monotonic.millis, (now) => {
    triedAt = now
  })
  const tried = Effect.zipRight(cameRound, Effect.ensuring(turn, cameRound))
  /** Waits so long, or until nothing has been heard of the wake-up for {@link longestSilence}. */
  const pause = Effect.fnUntraced(function* (wait: number) {
    const begun = yield* Monotonic.millis
    for (let now = begun; ; now = yield* Monotonic.millis) {
      triedAt = now
      const left = Math.min(begun + wait, Math.max(begun, heardAt) + longestSilence) - now
      if (left <= 0) return
      // Where that is heard it waits anew at once: a timer that goes off later would wake the process up for nothing.
      yield* Effect.raceFirst(heard.wait, Effect.sleep(left))
    }
  })

  /**
   * Waits a turn, in which what is logged so far is written, and some more where few of many jobs have ended. All that has
   * is told by the next exchange, and nothing else is due.
   */
  const gathered = Effect.map(
    EventLoop.turns(turnsToGather, () => !inHand.isBusy),
    () => inHand.changed.poll()
  )

  const first = Effect.gen(function* () {
    for (;;) {
      // Before the exchange after a failure reclaims leases that ended meanwhile, and grants us our own jobs once more.
      const { due, mayBeMore } = yield* outage.persist(
        tried,
        Effect.suspend(() => (inHand.size > 0 ? beat : Effect.void))
      )
      answeredAt = triedAt
      const hasFreeSlot = inHand.free > 0
      // No call that waits for an arrival is needed where messages wait.
      if (!hasFreeSlot || !mayBeMore) {
        if (hasFreeSlot) idle.ring()
        const wait = Math.max(shortestWait, Math.min(due ?? longestWait, longestWait))
        // A race is two fibers and a timer: a busy worker does without.
        if (!inHand.changed.poll()) {
          yield* Effect.raceFirst(inHand.changed.wait, hasFreeSlot ? pause(wait) : Effect.sleep(longestFull))
        }
      }
      yield* gathered
    }
  })

  /** Exchanges beside the first one, as long as there is room; a store that does not answer is the first one's care. */
  const second = inHand.roomy.wait.pipe(
    Effect.zipRight(EventLoop.nextTurn),
    Effect.zipRight(
      Effect.suspend(() =>
        inHand.isRoomy
          ? Effect.zipRight(
              Effect.catchAll(turn, (error) => Effect.logDebug(`no second exchange: ${error.detail}`)),
              // What it has put off may be due before the first one comes round.
              Effect.sync(() => inHand.changed.ring())
            )
          : Effect.void
      )
    ),
    Effect.forever
  )

  /** Again and again, as long as the loop need not come round. */
  const listen = Effect.gen(function* () {
    while (!(yield* arrive)) {
      heardAt = yield* Monotonic.millis
      heard.ring()
      // What was granted is begun before the next wake-up call is written.
      yield* EventLoop.nextTurn
    }
  })

  const wakeUp = idle.wait.pipe(
    Effect.zipRight(
      Effect.catchAll(listen, (error) =>
        Effect.zipRight(Effect.logDebug(`no wake-up: ${error.detail}`), Effect.sleep(wakeUpPause))
      )
    ),
    Effect.zipRight(Effect.sync(() => inHand.changed.ring()))
  )

  const watch = Effect.gen(function* () {
    const now = yield* Monotonic.millis
    if (now - triedAt < stuckAfter) return
    yield* Effect.logError(`the take loop has not come round for ${now - triedAt} ms: it gets new connections`)
    triedAt = now
    yield* store.reconnect
  })

  return {
    run: Effect.raceFirst(first, second),
    wakeUp,
    watch,
    isTaking: (within) =>
      Effect.map(Monotonic.millis, (now) => now - Math.max(answeredAt, heardAt) <= Duration.toMillis(within))
  }
})

/** How often a watchdog looks: what it finds has lasted for 20 to 30 seconds. */
export const watchInterval = Duration.seconds(10)
