/**
 * Senders that hand a number of mails to the fast mail server, which says when it has them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BenchError } from "./BenchError.ts"
import * as Payload from "./Payload.ts"
import { type MailsOptions, now } from "./programs/Program.ts"
import * as Sink from "./Sink.ts"
import * as Stage from "./Stage.ts"
import * as Waiting from "./Waiting.ts"

export interface Options {
  readonly count: number
  /** Milliseconds before each reply of the mail server. */
  readonly delay: number
  /** Mails in hand at most. */
  readonly slots: number
  readonly connections: number
}

interface Sent extends Sink.Report {
  /** When the sender's process was started. */
  readonly started: number
}

export type Sender = (options: Options) => Effect.Effect<Sent, BenchError, Stage.Stage | Scope.Scope>

/** Runs the process until all mails are there. */
const send = <E, R>(sink: Sink.Sink, process: Effect.Effect<Stage.Process, E, R>) =>
  Effect.gen(function* () {
    const started = now()
    const { whileAlive } = yield* process
    return { ...(yield* whileAlive(sink.report)), started }
  })

/** The built command; it has as many connections as slots, ten at most. */
export const ours: Sender = Effect.fnUntraced(function* ({ count, delay, slots }) {
  const redis = yield* Stage.redis()
  const sink = yield* Sink.make({ delay, expected: count })
  yield* Waiting.ours(redis).fill(count, Payload.args(sink.port))
  return yield* send(sink, Stage.command(redis.port, ["-w", String(slots)]))
})

/** BullMQ with nodemailer's pool. */
export const bullmq: Sender = Effect.fnUntraced(function* ({ connections, count, delay, slots }) {
  const redis = yield* Stage.redis()
  const sink = yield* Sink.make({ delay, expected: count })
  yield* Waiting.bullmq(redis).fill(count, Payload.args(sink.port))
  const options: MailsOptions = { redisPort: redis.port, smtpPort: sink.port, slots, connections, count }
  return yield* send(sink, Stage.program("bullmq-mails", options))
})

/** nodemailer's pool without a queue. */
export const bare: Sender = Effect.fnUntraced(function* ({ connections, count, delay, slots }) {
  const sink = yield* Sink.make({ delay, expected: count })
  const options: MailsOptions = { redisPort: 0, smtpPort: sink.port, slots, connections, count }
  return yield* send(sink, Stage.program("bare-mails", options))
})
