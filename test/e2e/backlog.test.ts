/**
 * The first start of the built command on a queue where mails have waited for months.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueueAll, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const count = 1_001

/** A queue with so many mails on it, and a worker's directory. */
const site = Effect.gen(function* () {
  const redis = yield* RedisServer.make()
  const mailServer = yield* SmtpServer.make()
  const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
  const mails = Array.from({ length: count }, (_, index) => ({ ...mail, subject: `Old ${index}` }))
  yield* enqueueAll(redis.port, mailServer, mails)
  const list = redis.connection.use((client) => client.lrange("huey.redis.huey", 0, -1))
  return { redis, mailServer, cwd, list }
})

describe("the first start on an old backlog", { concurrent: true }, () => {
  it.scopedLive("takes nothing, says how many wait, and ends with 2", () =>
    Effect.gen(function* () {
      const { cwd, list, mailServer, redis } = yield* site
      const before = yield* list
      const ended = yield* Command.run(["--config", "edumfa.cfg"], { cwd })
      expect(ended).toMatchObject({ code: 2, stdout: "" })
      expect(ended.stderr).toBe(
        `edumfa-queue-huey: ${count} messages wait that no worker of this kind has ever taken from; ` +
          "--backlog bury makes dead letters of them, --backlog send mails them however old they are\n"
      )
      // Whoever has only the log to look at finds why no worker runs.
      yield* Command.logged(join(cwd, "edumfa-queue.log"), /\[ERROR\]\[edumfa-queue:0\] 1001 messages wait/)
      expect(yield* list).toEqual(before)
      expect(yield* redis.connection.use((client) => client.keys("*"))).toEqual(["huey.redis.huey"])
      expect(yield* mailServer.connections).toBe(0)
    })
  )

  it.scopedLive(
    "mails it where that is decided",
    () =>
      Effect.gen(function* () {
        const { cwd, mailServer } = yield* site
        const worker = yield* Command.command(["--config", "edumfa.cfg", "--backlog", "send", "-w", "32"], { cwd })
        const mails = yield* mailServer.take(count)
        const subjects = mails.map(({ headers }) => headers.find(([name]) => name === "subject")?.[1])
        expect(new Set(subjects).size).toBe(count)
        yield* worker.kill("SIGTERM")
        expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0 })
      }),
    60_000
  )

  it.scopedLive("buries it where that is decided, mails what comes later, and asks never again", () =>
    Effect.gen(function* () {
      const { cwd, mailServer, redis } = yield* site
      const { use } = redis.connection
      const worker = yield* Command.command(["--config", "edumfa.cfg", "--backlog", "bury"], { cwd })
      const log = join(cwd, "edumfa-queue.log")
      yield* Command.logged(log, new RegExp(`buried ${count} of ${count}`))
      yield* enqueueAll(redis.port, mailServer, [{ ...mail, subject: "Fresh" }])
      const [fresh] = yield* mailServer.take(1)
      expect(fresh?.headers).toContainEqual(["subject", "Fresh"])
      yield* worker.kill("SIGTERM")
      yield* Effect.flatten(worker.ended)
      const [[, [, letter = ""]] = ["", []]] = yield* use((client) =>
        client.xrange("{huey.redis.huey}:q:dead", "-", "+")
      )
      expect(JSON.parse(letter)).toMatchObject({
        reason: "Backlog",
        job: "edumfa.lib.smtpserver.smtpserver.send_email",
        jobId: expect.stringMatching(/^[0-9a-f-]{36}$/)
      })
      expect(letter).not.toMatch(/493817|ada@/)
      expect(yield* use((client) => client.xlen("{huey.redis.huey}:q:dead"))).toBe(count)
      // The queue is served now, however many wait.
      yield* enqueueAll(
        redis.port,
        mailServer,
        Array.from({ length: count }, () => mail)
      )
      const next = yield* Command.command(["--config", "edumfa.cfg", "-l", "next.log"], { cwd })
      yield* mailServer.take(1)
      yield* next.kill("SIGTERM")
      expect(yield* Effect.flatten(next.ended)).toMatchObject({ code: 0 })
    })
  )
})
