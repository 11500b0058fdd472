/**
 * The worker: scheduled fibers that take jobs from a store, perform them and settle them.
 *
 * The take loop exchanges finished attempts for new grants; a wake-up waits for arrivals; a heartbeat extends the leases
 * in hand; a sweep watches the deadlines; a summary says once a minute what changed. On a stop nothing more is taken,
 * what is in hand gets its grace time, and the rest is released.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Huey from "./Huey.ts"
import type { Jobs } from "./Job.ts"
import { type Grant, JobStore, type JobStoreError, type Settlement } from "./JobStore.ts"
import * as Metrics from "./Metrics.ts"
import { thrown } from "./QueueLogger/redact.ts"
import * as RetryPolicy from "./RetryPolicy.ts"
import type { StopSignal } from "./StopSignal.ts"
import * as Drain from "./Worker/Drain.ts"
import { InHand } from "./Worker/InHand.ts"
import * as Outage from "./Worker/Outage.ts"
import * as Performer from "./Worker/Performer.ts"

export interface Options {
  /** How many jobs at once; a slot that waits for a mail server costs nothing. Default 8. */
  readonly slots?: number
  /** Between two extensions of the leases in hand; at most a third of a lease. Default a third. */
  readonly heartbeat?: Duration.DurationInput
  /** What an attempt may take before it is told to stop. Default 60 seconds. */
  readonly timeout?: Duration.DurationInput
  /** What the jobs in hand get on a stop: Docker and supervisor kill after 10 seconds. Default 8 seconds. */
  readonly grace?: Duration.DurationInput
  /** For jobs that bring none. Default `RetryPolicy.standard`. */
  readonly policy?: RetryPolicy.RetryPolicy
  /** Reads the messages. Default: unsigned ones. */
  readonly codec?: Huey.Codec
  /** How long to wait for a store that does not answer at the start; absent: for ever. */
  readonly storeWait?: Duration.DurationInput
}

const seconds = (key: string, min: number, max: number) =>
  Config.number(key).pipe(
    Config.validate({
      message: `expected seconds from ${min} to ${max}`,
      validation: (value) => value >= min && value <= max
    }),
    Config.map(Duration.seconds)
  )

const defaultTimeout = Duration.seconds(60)
const defaultGrace = Duration.seconds(8)

/** EDUMFA_QUEUE_WORKER_TIMEOUT (1 to 3600) and _GRACE (0 to 3600) in seconds, and the keys of the message codec. */
export const config: Config.Config<Pick<Options, "timeout" | "grace" | "codec">> = Config.all({
  timeout: Config.withDefault(seconds("EDUMFA_QUEUE_WORKER_TIMEOUT", 1, 3_600), defaultTimeout),
  grace: Config.withDefault(seconds("EDUMFA_QUEUE_WORKER_GRACE", 0, 3_600), defaultGrace),
  codec: Config.map(Huey.config, Huey.make)
})

/** An exchange comes round at least so often, whatever the wake-up does. Milliseconds. */
const longestWait = 10_000

/** The shortest wait between two exchanges that have nothing to do: a store that is always due must not spin us. */
const shortestWait = 20

/** A job that the worker itself failed at waits so long, milliseconds: nobody mends a program within seconds. */
const mistakeDelay = 60_000

/** Runs until it is interrupted, and then stops gracefully; fails only when `storeWait` is over. */
export const run = <R>(jobs: Jobs<R>, options: Options = {}): Effect.Effect<never, JobStoreError, R | JobStore> =>
  Effect.gen(function* () {
    const store = yield* JobStore
    const slots = options.slots ?? 8
    const timeout = Duration.toMillis(options.timeout ?? defaultTimeout)
    const grace = Duration.decode(options.grace ?? defaultGrace)
    const heartbeat = options.heartbeat ?? Duration.times(store.lease, 1 / 3)
    const codec = options.codec ?? Huey.make()
    const policy = options.policy ?? RetryPolicy.standard
    const perform = Performer.make(jobs, { codec, policy })
    const inHand = new InHand(yield* Queue.sliding<void>(1))
    const idle = yield* Queue.sliding<void>(1)
    const outage = yield* Outage.make
    const oneTurn = yield* Effect.makeSemaphore(1)
    let taking = true
    let answered = false

    const work = (grant: Grant) => (stop: StopSignal) =>
      Effect.map(perform(grant, stop), Option.getOrUndefined).pipe(
        // A mistake of ours must not lose the job: it is settled as a failed attempt, unless it has had its time.
        Effect.catchAllCause((cause) =>
          Effect.logError(`the worker failed at a job: ${thrown(cause)}`).pipe(
            Effect.zipRight(Clock.currentTimeMillis),
            Effect.map((now): Settlement => {
              const { lease, attempts, deliveries, firstTakenAt } = grant
              if (now < firstTakenAt + Duration.toMillis(policy.maxAge)) {
                return { _tag: "Retry", lease, delay: mistakeDelay, counted: true }
              }
              const of = { jobId: undefined, job: undefined, attempts, deliveries, firstTakenAt }
              return { _tag: "Dead", lease, letter: { ...of, reason: "Failed", detail: "the worker failed at it" } }
            })
          )
        )
      )

    /** Settles, takes and starts; answers with the milliseconds until something is due. */
    const turn = Effect.gen(function* () {
      const settlements = inHand.take()
      const reply = yield* Effect.onError(
        store.exchange(settlements, taking ? Math.max(0, slots - inHand.size) : 0),
        () => Effect.sync(() => inHand.notTold())
      )
      inHand.told()
      answered = true
      yield* outage.over
      for (const [index, held] of reply.settled.entries()) {
        const settlement = settlements[index]
        if (!held && settlement !== undefined && !inHand.wasToldBefore(settlement)) {
          yield* Effect.logError(`settled too late (${settlement._tag}): the lease was over, it may be done twice`)
        }
      }
      for (const { bytes, letter } of reply.buried) {
        yield* Effect.annotateLogs(
          Effect.logError(`dead: ${letter.reason}: ${letter.detail}, ${letter.deliveries} times`),
          Either.match(codec.decode(bytes), {
            onLeft: () => ({ id: "?", job: "?" }),
            onRight: ({ id, name }) => ({ id, job: name })
          })
        )
      }
      const now = yield* Clock.currentTimeMillis
      for (const grant of reply.grants) {
        if (taking) yield* inHand.start(grant, now + timeout, work(grant))
        else inHand.release(grant)
      }
      yield* Metric.set(Metrics.inHand, inHand.size)
      yield* Metric.set(Metrics.lastExchange, now / 1_000)
      return Math.max(shortestWait, Math.min(reply.nextDueIn ?? longestWait, longestWait))
    }).pipe(Effect.uninterruptible, oneTurn.withPermits(1))

    const beatOnce = Effect.gen(function* () {
      const leases = inHand.leases()
      const held = yield* store.extend(leases)
      const lost = leases.filter((_, index) => held[index] === false)
      yield* inHand.stop(lost, "LeaseLost")
    }).pipe(Effect.catchAll((error) => Effect.logDebug(`no heartbeat: ${error.detail}`)))

    const takeLoop = Effect.gen(function* () {
      const startedAt = yield* Clock.currentTimeMillis
      for (;;) {
        const due = yield* Effect.either(turn)
        if (due._tag === "Left") {
          yield* outage.failed(due.left)
          const waited = (yield* Clock.currentTimeMillis) - startedAt
          if (!answered && options.storeWait !== undefined && waited >= Duration.toMillis(options.storeWait)) {
            return yield* due.left
          }
          yield* Effect.sleep(Drain.storePause)
          // Before the next exchange reclaims leases that ended meanwhile, and grants us our own jobs a second time.
          if (inHand.size > 0) yield* beatOnce
        } else {
          const hasFreeSlot = inHand.size < slots
          if (hasFreeSlot) yield* Queue.offer(idle, undefined)
          const wait = hasFreeSlot ? due.right : longestWait
          yield* Effect.raceFirst(Queue.take(inHand.changed), Effect.sleep(wait))
        }
      }
    })

    /** Beside the loop nothing may end for ever by a mistake, unseen. */
    const lasting = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<void> =>
      Effect.catchAllCause(Effect.asVoid(effect), (cause) =>
        Effect.zipRight(Effect.logError(`${what} failed: ${thrown(cause)}`), Effect.sleep(Duration.seconds(1)))
      )

    const wakeUp = Queue.take(idle).pipe(
      Effect.zipRight(
        // While the wake-up does not work the pause before the next try is the interval of polling.
        // A message that comes while all slots are taken is left to the other workers.
        Effect.catchAll(
          Effect.suspend(() => (inHand.size < slots ? store.arrival : Effect.void)),
          (error) => Effect.zipRight(Effect.logDebug(`no wake-up: ${error.detail}`), Effect.sleep(Duration.seconds(1)))
        )
      ),
      Effect.zipRight(Queue.offer(inHand.changed, undefined)),
      (once) => Effect.forever(lasting("the wake-up", once))
    )

    const beat = Effect.schedule(lasting("the heartbeat", beatOnce), Schedule.spaced(heartbeat))

    let said = ""
    const summary = Effect.flatMap(store.counts, (counts) => {
      const { waiting, scheduled, inHand, retrying, dead } = counts
      const line = `waiting ${waiting}, scheduled ${scheduled}, in hand ${inHand}, retrying ${retrying}, dead ${dead}`
      if (line === said) return Effect.void
      said = line
      return Effect.logInfo(line)
    }).pipe(
      Effect.catchAll((error) => Effect.logDebug(`no counts: ${error.detail}`)),
      (once) => lasting("the summary", once),
      Effect.schedule(Schedule.spaced("1 minute"))
    )

    const stopTaking = Effect.sync(() => {
      taking = false
    })
    const drain = Drain.make({ inHand, turn, grace, stopTaking })

    yield* Effect.logInfo(`started, ${slots} slots, ${store.name}, lease ${Duration.format(store.lease)}`)
    yield* Effect.forkScoped(beat)
    yield* Effect.forkScoped(Effect.schedule(lasting("the sweep", inHand.sweep), Schedule.spaced("1 second")))
    yield* Effect.forkScoped(summary)
    const loop = yield* Effect.acquireRelease(Effect.forkDaemon(Effect.interruptible(takeLoop)), drain)
    yield* Effect.forkScoped(wakeUp)
    return yield* Fiber.join(loop)
  }).pipe(Effect.scoped, Effect.annotateLogs("service", "edumfa-queue.worker"))

/** A worker beside the rest of a program. */
export const layer = <R>(jobs: Jobs<R>, options: Options = {}): Layer.Layer<never, never, R | JobStore> =>
  Layer.scopedDiscard(
    Effect.forkScoped(
      Effect.tapErrorCause(run(jobs, options), (cause) => Effect.logFatal(`the worker ended: ${thrown(cause)}`))
    )
  )
