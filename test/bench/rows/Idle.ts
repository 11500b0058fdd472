/**
 * A worker that could send mails and has nothing to do: its memory, its time on a core, and what it asks of Redis.
 */
import * as Effect from "effect/Effect"
import type { Server } from "../../services/RedisServer.ts"
import * as Proc from "../Proc.ts"
import type { MailsOptions } from "../programs/Program.ts"
import { compare, type Row, type Side } from "../Row.ts"
import * as Stage from "../Stage.ts"

/** Calls that Redis counted, those of scripts included; not the ones that ask for the count. */
const calls = ({ connection }: Server) =>
  Effect.map(Effect.orDie(connection.use((client) => client.info("commandstats"))), (text) =>
    [...text.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
      .filter(([, command]) => command !== "info")
      .reduce((sum, [, , count]) => sum + Number(count), 0)
  )

const side = (
  name: string,
  start: (redisPort: number) => ReturnType<typeof Stage.program> | ReturnType<typeof Stage.command>
): Side => ({
  name,
  run: Effect.gen(function* () {
    const redis = yield* Stage.redis()
    const worker = yield* start(redis.port)
    const seconds = yield* Stage.count({ Full: 30, Quick: 10, Tiny: 1 })
    // The start is over by then, with what V8 clears away of it: it looks each eight seconds, and does so by the third time.
    yield* worker.whileAlive(Effect.sleep(yield* Stage.count({ Full: 30_000, Quick: 30_000, Tiny: 0 })))
    const before = { calls: yield* calls(redis), cpu: yield* Proc.cpu(worker.pid) }
    yield* worker.whileAlive(Effect.sleep(`${seconds} seconds`))
    return {
      rss: yield* Proc.rss(worker.pid),
      cpu: (100 * ((yield* Proc.cpu(worker.pid)) - before.cpu)) / (1_000 * seconds),
      commands: ((yield* calls(redis)) - before.calls) / seconds
    }
  })
})

const bullmq: MailsOptions = { redisPort: 0, smtpPort: 25, slots: 8, connections: 8, count: 0 }

export const row: Row = {
  name: "idle",
  title: "an idle worker",
  sides: [
    side("ours", (redisPort) => Stage.command(redisPort, [])),
    side("BullMQ + nodemailer pool", (redisPort) => Stage.program("bullmq-mails", { ...bullmq, redisPort }))
  ],
  comparisons: [
    compare("resident memory", "rss", ["ours", "BullMQ + nodemailer pool"], { better: "lower", bar: 1.6, aim: 1.2 }),
    compare("CPU", "cpu", ["ours", "BullMQ + nodemailer pool"], { better: "lower", bar: 1.5, aim: 1 }),
    {
      title: "Redis commands a second",
      of: { side: "ours", figure: "commands" },
      against: undefined,
      better: "lower",
      bar: 2,
      aim: 0.5
    }
  ]
}
