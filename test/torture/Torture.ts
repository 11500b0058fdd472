/**
 * One run: jobs go through workers, Redis and a mail server that all fail, then a quiet phase, then the account.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as fates from "../services/ChaosMail/fates.ts"
import * as ChaosMail from "../services/ChaosMail.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as Chaos from "./Chaos.ts"
import * as Ledger from "./Ledger.ts"
import * as Leftovers from "./Leftovers.ts"
import * as Producers from "./Producers.ts"
import * as Workers from "./Workers.ts"

export interface Options {
  readonly seed: number
  readonly jobs: number
  readonly workers: number
  readonly slots: number
  readonly killsEvery: Duration.Duration
  /** No more than so many kills of workers. */
  readonly kills: number
  readonly redisKills: number
  readonly lease: Duration.Duration
  readonly limits: Ledger.Limits
  /** Empty, and the run's own. */
  readonly directory: string
  /** Is told how far the run is, several times a second. */
  readonly progress: (progress: Progress) => Effect.Effect<void>
}

export interface Progress {
  readonly phase: "chaos" | "quiet"
  readonly seconds: number
  readonly accepted: number
  readonly maybe: number
  readonly ended: number
  readonly kills: number
  readonly freezes: number
  readonly redisKills: number
}

/** A run's account, and what its figures rest on. */
interface Result {
  readonly ledger: Ledger.Ledger
  readonly seen: Ledger.Observed
  readonly connections: number
  readonly tries: number
}

const queueName = "huey"

/** The faults end when this share of the jobs has ended, so that what they broke is still to be mended. */
const chaosShare = 0.97

/** Between two looks how far it is. */
const glance = Duration.millis(50)

/** Nothing ended for so long: it never will. Longer than an outage, a lease and the delays of four failures. Milliseconds. */
const patience = 30_000

/** Until all is over, or nothing has moved for so long that it never will be. */
const settled = (isOver: Effect.Effect<boolean>, moved: Effect.Effect<number>) =>
  Effect.gen(function* () {
    let last = -1
    let since = yield* Clock.currentTimeMillis
    while (!(yield* isOver)) {
      const now = yield* Clock.currentTimeMillis
      const current = yield* moved
      if (current !== last) since = now
      last = current
      if (now - since > patience) return
      yield* Effect.sleep(glance)
    }
  })

const configuration = (redisUrl: string, lease: Duration.Duration) => `
EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue'
EDUMFA_JOB_QUEUE_URL = '${redisUrl}'
EDUMFA_QUEUE_WORKER_LEASE = ${Duration.toSeconds(lease)}
EDUMFA_QUEUE_WORKER_EHLO = 'localhost'
`

/** Jobs whose enqueueing may fail: each outage fails a few of each producer. */
const spareNumbers = (options: Options) => 2_000 * (options.redisKills + 1)

/** Runs it; all that it starts ends with its scope. */
export const run = Effect.fn("Torture.run")(function* (options: Options) {
  const { directory, jobs, killsEvery, lease, limits, progress, redisKills, seed, slots } = options
  const capacity = jobs + spareNumbers(options)
  const redis = yield* RedisServer.make(["--appendonly", "yes", "--appendfsync", "everysec"])
  const mail = yield* ChaosMail.make({ seed, capacity, directory, hangMillis: 3_000 })
  const ended = Effect.map(mail.stats, (stats) => stats.ended)
  yield* Effect.promise(() => writeFile(join(directory, "edumfa.cfg"), configuration(redis.url, lease)))
  const workers = yield* Workers.make({ count: options.workers, slots, directory })
  const producers = yield* Producers.make({
    seed,
    jobs,
    capacity,
    queueName,
    redisPort: redis.port,
    smtpPort: mail.port,
    ahead: Math.max(500, Math.ceil(jobs / 20)),
    ended
  })

  const startedAt = yield* Clock.currentTimeMillis
  let phase: Progress["phase"] = "chaos"
  let killed = 0
  const seconds = Effect.map(Clock.currentTimeMillis, (now) => (now - startedAt) / 1_000)
  const tell = Effect.gen(function* () {
    yield* progress({
      phase,
      seconds: yield* seconds,
      accepted: producers.accepted.size,
      maybe: producers.maybe.size,
      ended: yield* ended,
      kills: workers.counts().kills,
      freezes: workers.counts().freezes,
      redisKills: killed
    })
    yield* Effect.sleep(glance)
  })
  yield* Effect.forkScoped(Effect.forever(tell))

  const reached = (share: number) =>
    settled(
      Effect.map(ended, (count) => count >= share * jobs),
      ended
    )
  const drawn = Effect.withRandom(Random.make(seed))
  const chaos = yield* Effect.forkScoped(drawn(Chaos.onWorkers({ workers, kills: options.kills, killsEvery, lease })))
  const redisChaos = Effect.forEach(
    Array.from({ length: redisKills }, (_, index) => (chaosShare * (index + 1)) / (redisKills + 1)),
    (share) =>
      Effect.zipRight(
        reached(share),
        Effect.zipRight(
          drawn(Chaos.killRedis(redis)),
          Effect.sync(() => {
            killed += 1
          })
        )
      ),
    { discard: true }
  )
  yield* Effect.all([producers.run, redisChaos, reached(chaosShare)], { concurrency: "unbounded", discard: true })
  yield* Fiber.interrupt(chaos)

  phase = "quiet"
  const held = Effect.map(Leftovers.left(redis, queueName), (left) => Object.values(left).reduce((a, b) => a + b, 0))
  yield* settled(
    Effect.map(held, (count) => count === 0),
    Effect.zipWith(held, ended, (a, b) => a + b)
  )
  const took = yield* seconds
  yield* workers.stop

  const report = yield* mail.report
  const jobsWith = (counts: Uint8Array) =>
    [...counts].flatMap((count, job) => (count > 0 ? [[job, count] as const] : []))
  const seen: Ledger.Observed = {
    accepted: producers.accepted,
    maybe: producers.maybe,
    delivered: new Map(jobsWith(report.delivered)),
    // By the script, whether the mail server saw them or not, and by what it answered.
    refused: new Set([
      ...[...producers.accepted].filter((job) => fates.isRefused(seed, job)),
      ...jobsWith(report.refused).map(([job]) => job)
    ]),
    unknown: report.unknown,
    foreign: report.foreign,
    renamed: report.renamed,
    dead: yield* Leftovers.dead(redis, queueName, producers.jobOf),
    left: yield* Leftovers.left(redis, queueName),
    ...workers.counts(),
    redisKills: killed,
    slots,
    ended: workers.ended,
    seconds: took
  }
  const result: Result = {
    ledger: Ledger.make(seen, limits),
    seen,
    connections: report.connections,
    tries: report.tries
  }
  return result
})
