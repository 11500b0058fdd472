/**
 * The worker: scheduled fibers that take jobs from a store, perform them and settle them.
 *
 * The take loop exchanges finished attempts for new grants; a wake-up waits for arrivals, and a watchdog sees that the
 * loop comes round; a heartbeat extends the leases in hand; a sweep watches the deadlines; a look ahead finds overdue
 * jobs; a summary says once a minute what changed. A stop takes no more, gives what is in hand its grace, releases the rest.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Huey from "./Huey.ts"
import type { Jobs } from "./Job.ts"
import { type BacklogDecision, defaultLease, JobStore, type JobStoreError, type OldBacklog } from "./JobStore.ts"
import { thrown } from "./QueueLogger/redact.ts"
import * as RetryPolicy from "./RetryPolicy.ts"
import { every, lasting } from "./Worker/Chore.ts"
import * as Drain from "./Worker/Drain.ts"
import * as Guard from "./Worker/Guard.ts"
import { InHand } from "./Worker/InHand.ts"
import * as LookAhead from "./Worker/LookAhead.ts"
import * as Outage from "./Worker/Outage.ts"
import * as Performer from "./Worker/Performer.ts"
import * as StoreTime from "./Worker/StoreTime.ts"
import * as Summary from "./Worker/Summary.ts"
import * as TakeLoop from "./Worker/TakeLoop.ts"
import * as Turn from "./Worker/Turn.ts"

export interface Options {
  /** How many jobs at once; a slot that waits for a mail server costs nothing. Default 8. */
  readonly slots?: number
  /** Between two extensions of the leases in hand; longer ones count as a third of a lease. Default a third. */
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
  /** So many messages are taken unasked where no worker ever served the queue; 0: any number. Default 1000. */
  readonly firstBacklog?: number
  /** What to do with more. Default: nothing, the worker fails with `OldBacklog`. */
  readonly backlog?: BacklogDecision
  /** Completes when a stop is to release what is in hand at once. Default: never. */
  readonly hurry?: Effect.Effect<void>
  /** What puts back what is left of the queue in the worker's own keys: the log names it at a stop. Default: nothing. */
  readonly drainCommand?: string
}

/** A worker in this process, as a health check sees it. */
export class Worker extends Context.Tag("edumfa-queue/Worker")<
  Worker,
  {
    /** Whether the take loop came round and the store answered, within the last 20 seconds unless told otherwise. */
    readonly isTaking: (within?: Duration.DurationInput) => Effect.Effect<boolean>
  }
>() {}

const seconds = (key: string, min: number, max: number) =>
  Config.number(key).pipe(
    Config.validate({
      message: `expected seconds from ${min} to ${max}`,
      validation: (value) => value >= min && value <= max
    }),
    Config.map(Duration.seconds)
  )

const defaultSlots = 8
const defaultTimeout = Duration.seconds(60)
const defaultGrace = Duration.seconds(8)

/** More are old, on a site whose mails leave within seconds. */
const defaultFirstBacklog = 1_000

/** A wake-up comes back every 10 seconds when there is nothing to do, and a store that is asked then is silent for 5 at most. */
const defaultWithin = Duration.seconds(20)

/** An attempt is told of its deadline so late at most. */
const sweepInterval = Duration.seconds(1)

/** Often enough to follow a queue by, too rare to fill a disk. */
const summaryInterval = Duration.minutes(1)

const heartbeatKey = "EDUMFA_QUEUE_WORKER_HEARTBEAT"

/** One beat may be late and one may be lost: a lease has room for three. */
const heartbeat = Config.all([
  Config.option(seconds(heartbeatKey, 0.1, 1_200)),
  Config.withDefault(seconds("EDUMFA_QUEUE_WORKER_LEASE", 1, 3_600), defaultLease)
]).pipe(
  Config.mapOrFail(([beat, lease]) =>
    Option.isSome(beat) && Duration.toMillis(beat.value) * 3 > Duration.toMillis(lease)
      ? Either.left(
          ConfigError.InvalidData([heartbeatKey], `expected at most a third of the lease of ${Duration.format(lease)}`)
        )
      : Either.right(beat)
  )
)

/**
 * EDUMFA_QUEUE_WORKER_TIMEOUT (1 to 3600), _GRACE (0 to 3600) and _HEARTBEAT (0.1 to 1200) in seconds, _FIRST_BACKLOG
 * (messages, from 0), and the keys of the message codec.
 */
export const config: Config.Config<Pick<Options, "timeout" | "grace" | "heartbeat" | "firstBacklog" | "codec">> =
  Config.all({
    timeout: Config.withDefault(seconds("EDUMFA_QUEUE_WORKER_TIMEOUT", 1, 3_600), defaultTimeout),
    grace: Config.withDefault(seconds("EDUMFA_QUEUE_WORKER_GRACE", 0, 3_600), defaultGrace),
    heartbeat,
    // Not by Config.integer, to which an empty variable is 0: that would switch the guard off.
    firstBacklog: Config.string("EDUMFA_QUEUE_WORKER_FIRST_BACKLOG").pipe(
      Config.validate({
        message: "expected a number of messages from 0",
        validation: (text) => /^\d{1,9}$/.test(text)
      }),
      Config.map(Number),
      Config.withDefault(defaultFirstBacklog)
    ),
    codec: Config.map(Huey.config, Huey.make)
  }).pipe(
    Config.map(({ heartbeat, ...options }) => ({
      ...options,
      ...Option.match(heartbeat, { onNone: () => ({}), onSome: (heartbeat) => ({ heartbeat }) })
    }))
  )

/** A worker that takes nothing before it is run. */
export const make = Effect.fnUntraced(function* <R>(jobs: Jobs<R>, options: Options = {}) {
  const store = yield* JobStore
  const slots = options.slots ?? defaultSlots
  const third = Duration.times(store.lease, 1 / 3)
  const heartbeat = Duration.min(options.heartbeat ?? third, third)
  const codec = options.codec ?? Huey.make()
  const policy = options.policy ?? RetryPolicy.standard
  const storeTime = yield* StoreTime.make
  const inHand = new InHand(slots)
  const outage = yield* Outage.make(options.storeWait === undefined ? undefined : Duration.decode(options.storeWait))
  const turn = Turn.make({
    store,
    storeTime,
    inHand,
    codec,
    timeout: Duration.toMillis(options.timeout ?? defaultTimeout),
    performer: Performer.make(jobs, { codec, policy, storeTime })
  })
  const extend = Effect.gen(function* () {
    const leases = inHand.leases()
    const held = yield* store.extend(leases)
    const lost = leases.filter((_, index) => held[index] === false)
    yield* inHand.stop(lost, "LeaseLost")
  })
  const beat = Effect.catchAll(extend, (error) => Effect.logDebug(`no heartbeat: ${error.detail}`))
  let hasRested = true
  /**
   * With nothing in hand it tells no more than that the worker is alive, which holds for a lease: each second one will do, and
   * is tried again where it is lost.
   */
  const heart = Effect.suspend(() => {
    const isIdle = inHand.size === 0
    hasRested = isIdle && !hasRested
    if (hasRested) return Effect.void
    return isIdle ? Effect.catchAll(extend, () => Effect.delay(beat, Duration.times(heartbeat, 1 / 10))) : beat
  })
  const loop = yield* TakeLoop.make({ store, inHand, outage, turn: turn.take, arrive: turn.arrive, beat })

  const run: Effect.Effect<never, JobStoreError | OldBacklog, R> = Effect.gen(function* () {
    const guard = { store, storeTime, outage, codec, decision: options.backlog }
    yield* Effect.logInfo(`started, ${slots} slots, ${store.name}, lease ${Duration.format(store.lease)}`)
    yield* Guard.pass({ ...guard, limit: options.firstBacklog ?? defaultFirstBacklog })
    yield* Effect.forkScoped(every(heartbeat, lasting("the heartbeat", heart)))
    const sweep = Effect.zipRight(inHand.occupied, inHand.sweep)
    yield* Effect.forkScoped(every(sweepInterval, lasting("the sweep", sweep)))
    const lookAhead = lasting("the look ahead", LookAhead.make(store, storeTime, codec))
    yield* Effect.forkScoped(Effect.zipRight(lookAhead, every(LookAhead.interval, lookAhead)))
    yield* Effect.forkScoped(Performer.practise(() => !inHand.isIdle || inHand.isPlentiful))
    const summary = Summary.make({ store, codec, now: storeTime.now })
    yield* Effect.forkScoped(every(summaryInterval, lasting("the summary", summary)))
    const drain = Drain.make({
      store,
      command: options.drainCommand,
      inHand,
      turn: turn.take,
      grace: Duration.decode(options.grace ?? defaultGrace),
      hurry: options.hurry ?? Effect.never,
      stopTaking: turn.stopTaking
    })
    const taking = yield* Effect.acquireRelease(Effect.forkDaemon(Effect.interruptible(loop.run)), drain)
    // These end before a stop begins: then the loop comes round no more.
    yield* Effect.forkScoped(Effect.forever(lasting("the wake-up", loop.wakeUp)))
    yield* Effect.forkScoped(every(TakeLoop.watchInterval, lasting("the watchdog", loop.watch)))
    return yield* Fiber.join(taking)
  }).pipe(Effect.scoped, Effect.annotateLogs("service", "edumfa-queue.worker"))

  return { run, isTaking: (within: Duration.DurationInput = defaultWithin) => loop.isTaking(Duration.decode(within)) }
})

/** Runs until it is interrupted, and then stops gracefully; fails when `storeWait` is over, or with an old backlog. */
export const run = <R>(
  jobs: Jobs<R>,
  options: Options = {}
): Effect.Effect<never, JobStoreError | OldBacklog, R | JobStore> =>
  Effect.flatMap(make(jobs, options), (worker) => worker.run)

/** A worker beside the rest of a program. */
export const layer = <R>(jobs: Jobs<R>, options: Options = {}): Layer.Layer<Worker, never, R | JobStore> =>
  Layer.scoped(
    Worker,
    Effect.gen(function* () {
      const { isTaking, run } = yield* make(jobs, options)
      yield* Effect.forkScoped(
        Effect.tapErrorCause(run, (cause) => Effect.logFatal(`the worker ended: ${thrown(cause)}`))
      )
      return { isTaking }
    })
  )
