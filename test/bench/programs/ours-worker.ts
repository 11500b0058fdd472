/**
 * Ours: a worker on jobs that do nothing, with every default of the command: leases, fencing, retries, a log file.
 */
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import { Job, QueueLogger, Redis, RedisStore, SendEmail, Worker } from "../../../src/index.ts"
import { Stopwatch } from "../Stopwatch.ts"
import * as Program from "./Program.ts"

const { count, directory, job: kind, redisPort, slots, warmup } = Program.options<Program.WorkerOptions>()

const watch = new Stopwatch(count, warmup)

const runs = {
  NoOp: () => Effect.void,
  Hang: () => Effect.never,
  Latency: (subject: string) =>
    Effect.sync(() => {
      watch.lap(Number(subject), Program.now())
      if (!watch.isFull) return
      Program.tell(watch.figures())
      process.exit()
    })
}

/** A mail's arguments, under its name on the wire, with a handler of its own. */
const job = Job.make({
  name: SendEmail.job.names[0],
  params: ["config", "recipient", "subject", "body", "sender", "reply_to", "mimetype"],
  args: Schema.Struct({
    config: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    recipient: Schema.String,
    subject: Schema.String,
    body: Schema.String,
    sender: Schema.NullOr(Schema.String),
    reply_to: Schema.NullOr(Schema.String),
    mimetype: Schema.String
  }),
  run: ({ subject }) => runs[kind](subject)
})

const store = Layer.unwrapEffect(Effect.map(RedisStore.config, RedisStore.layer)).pipe(
  Layer.provide(Redis.layer({ host: "127.0.0.1", port: redisPort, db: 0 }))
)

const log = QueueLogger.layer({
  target: "File",
  path: join(directory, `worker-${process.pid}.log`),
  explicit: true,
  level: LogLevel.Info,
  pid: process.pid
})

Worker.run(Job.jobs(job), { slots, firstBacklog: 0 }).pipe(
  Effect.provide(store),
  Effect.provide(log),
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
  NodeRuntime.runMain({ disablePrettyLogger: true })
)
