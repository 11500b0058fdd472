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
import {
  type Counts,
  type Exchange,
  JobStore,
  JobStoreError,
  maxDeliveries,
  poison,
  poisonDetail,
  type Settlement
} from "../JobStore.ts"
import * as Keys from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import type { Argument } from "../Redis/Script.ts"
import { Redis } from "../Redis.ts"
import { exchange as exchangeScript } from "./exchange.ts"
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

/** So many dead letters are kept, as Sidekiq and Asynq do; Redis may keep a few more. */
const deadCap = 10_000

/** A job must outlive a stop of its worker's event loop and must come back while a one-time code lives. */
const defaultLease = Duration.seconds(30)

/** Rare enough to cost nothing while idle; huey's 1 second is a matter of its threads. */
const blockSeconds = 5

/** The wake-up call waits no longer for an arrival, in seconds: a silent link is found out soon after. */
const maxBlockSeconds = 60

/** So long after the end of its wait a wake-up call must have answered. Milliseconds. */
const blockMargin = 5_000

/** At a stop nobody waits longer for a Redis that hangs. */
const unparkLimit = Duration.millis(500)

/** How often is looked for messages where the wake-up call is switched off. */
const pollInterval = Duration.seconds(1)

/**
 * huey's score is `mktime` of a naive UTC time, which reads it as local time: it is shifted by the zone of the producer,
 * taken to be ours. With EDUMFA_JOB_QUEUE_UTC = False the naive time is local, and the score is right.
 */
const shift = (utc: boolean) => (now: number) => (utc ? new Date(now).getTimezoneOffset() * 60 : 0)

/**
 * EDUMFA_JOB_QUEUE_NAME, _UTC, _BLOCKING and _READ_TIMEOUT (seconds, default 5, at most 60) as huey has them;
 * EDUMFA_QUEUE_WORKER_LEASE (seconds, 1 to 3600, default 30).
 */
export const config: Config.Config<Options> = Config.all({
  queueName: Keys.nameConfig,
  lease: Config.number("EDUMFA_QUEUE_WORKER_LEASE").pipe(
    Config.validate({ message: "expected seconds from 1 to 3600", validation: (n) => n >= 1 && n <= 3600 }),
    Config.map(Duration.seconds),
    Config.withDefault(defaultLease)
  ),
  scheduleOffset: Config.map(Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_UTC"), true), shift),
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

const onWire = (settlement: Settlement): ReadonlyArray<Argument> => {
  const { id, token } = settlement.lease
  switch (settlement._tag) {
    case "Done":
      return ["D", id, token, "", "", ""]
    case "Retry":
      return ["R", id, token, Math.ceil(settlement.delay), settlement.counted ? 1 : 0, settlement.bytes ?? ""]
    case "Dead":
      return ["X", id, token, JSON.stringify(settlement.letter), "", ""]
    case "Released":
      return ["L", id, token, "", "", ""]
  }
}

export const make = (options: Options): Effect.Effect<Context.Tag.Service<JobStore>, never, Redis | Scope.Scope> =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const commands = yield* redis.connect("worker")
    const keys = { ...Keys.make(options.queueName) }
    // The blocking connection, opened after this, is closed before: it moves nothing more then.
    yield* Effect.addFinalizer(() =>
      commands.run(scripts.unpark, keys, {}).pipe(
        Effect.interruptible,
        Effect.timeout(unparkLimit),
        Effect.catchAll((error) =>
          Effect.logDebug(`what the wake-up call moved stays in ${keys.arrived}: ${error.message}`)
        )
      )
    )
    const blocking = yield* redis.connect("blocking")
    const lease = Duration.toMillis(options.lease)

    const exchange = (settlements: ReadonlyArray<Settlement>, free: number): Effect.Effect<Exchange, JobStoreError> =>
      Effect.zip(Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER), Clock.currentTimeMillis).pipe(
        Effect.flatMap(([random, now]) =>
          commands.run(
            exchangeScript,
            keys,
            {
              free,
              lease,
              nonce: random.toString(36),
              max_deliveries: maxDeliveries,
              poison_detail: poisonDetail,
              dead_cap: deadCap,
              schedule_offset: options.scheduleOffset(now)
            },
            settlements.flatMap(onWire)
          )
        ),
        Effect.mapBoth({
          onFailure: storeError,
          onSuccess: (reply) => ({
            settled: reply.settled,
            grants: reply.grants.map(({ id, token, ...rest }) => ({ lease: { id, token }, ...rest })),
            buried: reply.buried.map((held) => ({ letter: poison(held), bytes: held.bytes })),
            nextDueIn: reply.nextDueIn
          })
        })
      )

    const counts: Effect.Effect<Counts, JobStoreError> = Effect.mapError(
      commands.run(scripts.counts, keys, {}),
      storeError
    )

    // BLMOVE came with Redis 6.2; BRPOPLPUSH does the same and is known everywhere.
    let move: "BLMOVE" | "BRPOPLPUSH" = "BLMOVE"
    const wait = (seconds: number) =>
      Effect.suspend(() =>
        blocking.use(
          (client) =>
            move === "BLMOVE"
              ? client.blmove(keys.queue, keys.arrived, "RIGHT", "LEFT", seconds)
              : client.brpoplpush(keys.queue, keys.arrived, Math.ceil(seconds)),
          Math.ceil(seconds) * 1_000 + blockMargin
        )
      )
    const block = (seconds: number) =>
      wait(seconds).pipe(
        Effect.catchIf(
          (error) => move === "BLMOVE" && error.reason === "Reply" && error.detail.includes("unknown command"),
          () => {
            move = "BRPOPLPUSH"
            return wait(seconds)
          }
        ),
        Effect.mapError(storeError)
      )
    const arrival: Effect.Effect<void, JobStoreError> = Option.isSome(options.block)
      ? Effect.asVoid(block(options.block.value))
      : Effect.sleep(pollInterval)

    return {
      name: `${redis.name} list ${keys.queue}`,
      lease: options.lease,
      exchange,
      extend: (leases) =>
        leases.length === 0
          ? Effect.succeed([])
          : Effect.mapError(
              commands.run(
                scripts.extend,
                keys,
                { lease },
                leases.flatMap(({ id, token }) => [id, token])
              ),
              storeError
            ),
      counts,
      arrival
    }
  })

export const layer = (options: Options): Layer.Layer<JobStore, never, Redis> => Layer.scoped(JobStore, make(options))
