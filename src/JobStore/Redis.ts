/**
 * Leases on Redis, for the messages that producers LPUSH to huey's list.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as TimeZone from "../Huey/TimeZone.ts"
import { type Counts, defaultLease, type Exchange, JobStore, JobStoreError } from "../JobStore.ts"
import * as Keys from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import { Redis } from "../Redis.ts"
import * as Ahead from "./Ahead.ts"
import * as Arrival from "./Arrival.ts"
import * as Backlog from "./Backlog.ts"
import * as Exchanging from "./Exchanging.ts"
import * as Peek from "./Peek.ts"
import { drainAll, unparkAll } from "./Return.ts"
import * as scripts from "./scripts.ts"

export interface Options {
  /** The queue's name; huey's default is `huey`. */
  readonly queueName: string
  /** How long a job stays with a worker that gives no sign of life. */
  readonly lease: Duration.Duration
  /** Seconds from the Unix time of a scheduled job to its score in huey's schedule, at a time in milliseconds. */
  readonly scheduleOffset: (now: number) => number
  /** Seconds that the wake-up call blocks; absent: the worker polls. */
  readonly block: Option.Option<number>
}

/** Rare enough to cost next to nothing while idle; huey's 1 second is a matter of its threads. */
const blockSeconds = 10

/** The wake-up call waits no longer for an arrival, in seconds: a silent link is found out soon after. */
const maxBlockSeconds = 60

/** At a stop nobody waits longer for a Redis that hangs. */
const unparkLimit = Duration.millis(500)

/** Clocks change at whole minutes, and every exchange asks. */
const perMinute = (shift: (time: number) => number) => {
  let known = { minute: Number.NaN, shift: 0 }
  return (time: number) => {
    const minute = Math.floor(time / 60_000)
    if (minute !== known.minute) known = { minute, shift: shift(time) }
    return known.shift
  }
}

/**
 * EDUMFA_JOB_QUEUE_NAME, _UTC, _BLOCKING and _READ_TIMEOUT (seconds, default 10, at most 60) as huey has them;
 * EDUMFA_QUEUE_WORKER_LEASE (seconds, 1 to 3600, default 30) and _TIME_ZONE, in which huey's schedule is read and written.
 */
export const config: Config.Config<Options> = Config.all({
  queueName: Keys.nameConfig,
  lease: Config.number("EDUMFA_QUEUE_WORKER_LEASE").pipe(
    Config.validate({ message: "expected seconds from 1 to 3600", validation: (n) => n >= 1 && n <= 3600 }),
    Config.map(Duration.seconds),
    Config.withDefault(defaultLease)
  ),
  scheduleOffset: Config.all([TimeZone.config, Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_UTC"), true)]).pipe(
    Config.map(([zone, utc]) => perMinute(TimeZone.scoreShift(zone, utc)))
  ),
  block: Config.all([
    Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_BLOCKING"), true),
    Config.number("EDUMFA_JOB_QUEUE_READ_TIMEOUT").pipe(
      Config.validate({
        message: `expected seconds above 0, at most ${maxBlockSeconds}`,
        validation: (n) => n > 0 && n <= maxBlockSeconds
      }),
      Config.withDefault(blockSeconds)
    )
  ]).pipe(Config.map(([blocking, timeout]) => (blocking ? Option.some(timeout) : Option.none())))
})

const storeError = (error: RedisError) =>
  new JobStoreError({
    reason: error.reason === "Connection" || error.reason === "Loading" ? "Unavailable" : "Refused",
    detail: error.detail,
    cause: error
  })

export const make = (options: Options): Effect.Effect<Context.Tag.Service<JobStore>, never, Redis | Scope.Scope> =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const commands = yield* redis.connect("worker")
    const random = Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
    const worker = (yield* random).toString(36)
    const keys = { ...Keys.make(options.queueName, worker) }
    const scheduleOffset = Effect.map(Clock.currentTimeMillis, options.scheduleOffset)
    // Who looks or drains beside a worker leaves alone what that is just woken up for.
    let isWorker = false
    const asWorker = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        isWorker = true
        return effect
      })
    const exchanging = Exchanging.make({ ...options, keys, random })
    const takeBack = Effect.suspend(() => (exchanging.isUnanswered() ? ask(commands, [], 0, 0) : Effect.void))
    const stop = Effect.zipRight(takeBack, unparkAll(commands, keys)).pipe(
      Effect.zipRight(commands.run(scripts.leave, keys, { worker })),
      Effect.interruptible,
      Effect.timeout(unparkLimit),
      Effect.catchAll((error) =>
        Effect.logDebug(`what the wake-up call moved stays in ${keys.arrived}: ${error.message}`)
      )
    )
    // The blocking connection, opened after this, is closed before: it moves nothing more then.
    yield* Effect.addFinalizer(() => Effect.suspend(() => (isWorker ? stop : Effect.void)))
    const blocking = yield* redis.connect("blocking")
    const lease = Duration.toMillis(options.lease)
    const ask = (...args: Parameters<typeof exchanging.ask>) => Effect.mapError(exchanging.ask(...args), storeError)

    const wait = Option.map(options.block, (seconds) => Arrival.make(keys, seconds))
    const arrival = (free: number): Effect.Effect<Exchange | undefined, JobStoreError> =>
      Option.match(wait, {
        onNone: () => Effect.as(Effect.sleep(Arrival.pollInterval), undefined),
        // Or Redis would still move and grant a message to nobody.
        onSome: (wait) => Effect.onInterrupt(ask(blocking, [], free, 0, wait), () => blocking.replace)
      })

    // Where one link has fallen silent the other is not waited for, lest what it granted unheard be held for longer.
    const exchange: Context.Tag.Service<JobStore>["exchange"] = (settlements, free, suspects = 1) =>
      Effect.tapError(ask(commands, settlements, free, suspects), ({ reason }) =>
        reason === "Unavailable" ? blocking.replace : Effect.void
      )

    const counts: Effect.Effect<Counts, JobStoreError> = Effect.mapError(
      commands.run(scripts.counts, keys, {}),
      storeError
    )

    const advance = Ahead.make(commands, keys, scheduleOffset)
    const place = { redis: commands, keys, scheduleOffset, deadCap: Exchanging.deadCap, worker, lease }
    return {
      name: `${redis.name} list ${keys.queue}`,
      lease: options.lease,
      exchange,
      extend: (leases) =>
        asWorker(
          Effect.flatMap(Exchanging.spread(lease), (held) =>
            commands.run(
              scripts.extend,
              keys,
              { worker, lease, held },
              leases.flatMap(({ id, token }) => [id, token])
            )
          ).pipe(
            Effect.mapError((error) => {
              // An idle worker that polls would not notice that Redis takes no writes any more.
              exchanging.doubt()
              return storeError(error)
            })
          )
        ),
      counts,
      workers: Effect.mapError(commands.run(scripts.workers, keys, {}), storeError),
      writable: Effect.mapError(commands.run(scripts.writable, keys, {}), storeError),
      peek: (place, limit) => Effect.mapError(Peek.look(commands, keys, place, limit), storeError),
      advance: (isDue) => Effect.mapError(advance(isDue), storeError),
      arrival: (free) => asWorker(arrival(free)),
      reconnect: Effect.zipRight(commands.replace, blocking.replace),
      notes: redis.notes,
      advice: Effect.mapError(redis.advice(commands), storeError),
      admit: (limit, decision) => asWorker(Effect.mapError(Backlog.admit(place, limit, decision), storeError)),
      buryBacklog: (letter) => Effect.mapError(Backlog.bury(place, letter), storeError),
      drain: (settings) =>
        Effect.mapError(drainAll(commands, keys, options.scheduleOffset, settings), (error) =>
          error._tag === "WorkersAlive" ? error : storeError(error)
        )
    }
  })

export const layer = (options: Options): Layer.Layer<JobStore, never, Redis> => Layer.scoped(JobStore, make(options))
