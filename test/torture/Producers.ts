/**
 * MFA servers that leave jobs on the queue through the real layer, and note what they were told.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Huey from "../../src/Huey.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import * as Redis from "../../src/Redis.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import * as SmtpServer from "../../src/SmtpServer.ts"
import * as fates from "../services/ChaosMail/fates.ts"

/** So many requests enqueue at once. */
const atOnce = 16

/** Before a job whose fate nobody knows is enqueued again, as another job. */
const pauseAfterFailure = Duration.millis(100)

/** Between two looks whether the workers have caught up: they have enough to do meanwhile. */
const pauseWhenAhead = Duration.millis(50)

export interface Options {
  readonly seed: number
  /** So many jobs are to be accepted. */
  readonly jobs: number
  /** Job numbers are below it. */
  readonly capacity: number
  readonly queueName: string
  readonly redisPort: number
  readonly smtpPort: number
  /** Jobs that were accepted and have not ended are at most so many: Redis dies while some are being enqueued. */
  readonly ahead: number
  /** Jobs that have ended. */
  readonly ended: Effect.Effect<number>
}

interface Producers {
  readonly accepted: ReadonlySet<number>
  readonly maybe: ReadonlySet<number>
  /** The job with an id on the wire. */
  readonly jobOf: ReadonlyMap<string, number>
  /** Enqueues until as many jobs are accepted as there are to be. */
  readonly run: Effect.Effect<void>
}

/** Milliseconds to wait for each reply of the mail server: a hang costs that, a slow start of a worker must not. */
const smtpTimeout = 2_000

const row = (port: number) =>
  SmtpServer.toRow({
    identifier: "torture",
    host: "127.0.0.1",
    port,
    tls: "Opportunistic",
    sender: "MFA <mfa@torture.example>",
    timeout: smtpTimeout,
    enqueueJob: true
  })

/** The codec of the queue, which also notes the ids that the queue gives: after a failure nobody else tells them. */
const noting = (seed: number, jobOf: Map<string, number>): Huey.Codec => {
  const codec = Huey.make()
  return {
    ...codec,
    encode: (message) => {
      const job = fates.jobOfRecipient(seed, String(message.call.args[1]))
      if (job !== undefined) jobOf.set(message.id, job)
      return codec.encode(message)
    }
  }
}

export const make = Effect.fnUntraced(function* (options: Options) {
  const { ahead, capacity, ended, jobs, queueName, redisPort, seed, smtpPort } = options
  const accepted = new Set<number>()
  const maybe = new Set<number>()
  const jobOf = new Map<string, number>()
  const queue = RedisQueue.layer({ queueName, codec: noting(seed, jobOf) }).pipe(
    Layer.provide(Redis.layer({ host: "127.0.0.1", port: redisPort, db: 0 }))
  )
  const { enqueue } = Context.get(yield* Layer.build(queue), JobQueue)
  const config = { ...row(smtpPort) }
  let next = 0
  let wanted = jobs

  const enqueueOne: Effect.Effect<void> = Effect.gen(function* () {
    const job = next++
    if (job >= capacity) return yield* Effect.dieMessage("there are not enough numbers for so many failed jobs")
    const told = yield* Effect.either(
      enqueue(SendEmail.job, {
        config,
        recipient: fates.recipient(seed, job),
        subject: fates.subject(seed, job),
        body: "Enter this code to log in.\n\nIt is valid for two minutes. If it was not you who logged in, tell us.\n"
      })
    )
    if (told._tag === "Right") {
      accepted.add(job)
    } else if (told.left.reason === "Unavailable") {
      maybe.add(job)
      wanted += 1
      yield* Effect.sleep(pauseAfterFailure)
    } else {
      return yield* Effect.die(told.left)
    }
  })

  const produce = Effect.gen(function* () {
    while (next < wanted) {
      if (accepted.size - (yield* ended) > ahead) yield* Effect.sleep(pauseWhenAhead)
      else yield* enqueueOne
    }
  })

  // One that is done waits for the others: a failure of theirs is one job more.
  const run = Effect.gen(function* () {
    while (accepted.size < jobs) {
      yield* Effect.all(
        Array.from({ length: atOnce }, () => produce),
        { concurrency: atOnce, discard: true }
      )
    }
  })
  const producers: Producers = { accepted, maybe, jobOf, run }
  return producers
})
