/**
 * Mails to a mail server on loopback, by its own clock: from the first connection to the last mail.
 */
import * as Effect from "effect/Effect"
import * as Payload from "../Payload.ts"
import type { MailsOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Sink from "../Sink.ts"
import * as Stage from "../Stage.ts"
import * as Waiting from "../Waiting.ts"

/** What is the same for all sides of a row. */
interface Options {
  /** Milliseconds before each reply of the mail server. */
  readonly delay: number
  readonly slots: number
  readonly connections: number
  readonly counts: Readonly<Record<Stage.Size, number>>
}

const rate = (count: number, sink: Effect.Effect.Success<ReturnType<typeof Sink.make>>) =>
  Effect.map(sink.report, ({ connections, first, last }) => ({ rate: (1_000 * count) / (last - first), connections }))

/** The built command, whose connections are as many as its slots and ten at most. */
const ours = (name: string, { counts, delay, slots }: Options): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const count = yield* Stage.count(counts)
    const sink = yield* Sink.make({ delay, expected: count })
    yield* Waiting.ours(redis).fill(count, Payload.args(sink.port))
    const worker = yield* Stage.command(redis.port, ["-w", String(slots)])
    const figures = yield* worker.whileAlive(rate(count, sink))
    yield* worker.stop
    return figures
  })
})

const bullmq = (name: string, { connections, counts, delay, slots }: Options): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const count = yield* Stage.count(counts)
    const sink = yield* Sink.make({ delay, expected: count })
    yield* Waiting.bullmq(redis).fill(count, Payload.args(sink.port))
    const options: MailsOptions = { redisPort: redis.port, smtpPort: sink.port, slots, connections, count }
    const worker = yield* Stage.program("bullmq-mails", options)
    return yield* worker.whileAlive(rate(count, sink))
  })
})

const bare = (name: string, { connections, counts, delay, slots }: Options): Side => ({
  name,
  run: Effect.gen(function* () {
    const count = yield* Stage.count(counts)
    const sink = yield* Sink.make({ delay, expected: count })
    const options: MailsOptions = { redisPort: 0, smtpPort: sink.port, slots, connections, count }
    yield* Stage.program("bare-mails", options)
    return yield* rate(count, sink)
  })
})

/** Ten connections, and enough mails in hand that one waits for each. */
const ten = { slots: 50, connections: 10 }

const fast: Options = { ...ten, delay: 0, counts: { Full: 5_000, Quick: 1_500, Tiny: 30 } }
const slow: Options = { ...ten, delay: 20, counts: { Full: 1_500, Quick: 500, Tiny: 30 } }
const eight: Options = { ...slow, slots: 8, connections: 8 }

export const rows: ReadonlyArray<Row> = [
  {
    name: "mails",
    title: "mails, no delay, 10 connections",
    sides: [ours("ours", fast), bullmq("BullMQ + nodemailer pool", fast), bare("bare nodemailer pool", fast)],
    comparisons: [
      compare("throughput", "rate", ["ours", "BullMQ + nodemailer pool"], { better: "higher", bar: 1.3, aim: 1.6 }),
      compare("throughput", "rate", ["ours", "bare nodemailer pool"], { better: "higher", bar: 0.8, aim: 0.95 })
    ]
  },
  {
    name: "mails-20ms",
    title: "mails, 20 ms a reply, 10 connections",
    sides: [ours("ours", slow), bare("bare nodemailer pool", slow)],
    comparisons: [
      compare("throughput", "rate", ["ours", "bare nodemailer pool"], { better: "higher", bar: 0.95, aim: 1 })
    ]
  },
  {
    name: "mails-w8",
    title: "mails, 20 ms a reply, -w 8",
    sides: [ours("ours", eight), bare("bare nodemailer pool of 8", eight)],
    comparisons: [compare("throughput", "rate", ["ours", "bare nodemailer pool of 8"], { better: "higher" })]
  }
]
