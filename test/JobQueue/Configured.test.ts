import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as EdumfaConfig from "../../src/EdumfaConfig.ts"
import * as Job from "../../src/Job.ts"
import * as JobId from "../../src/JobId.ts"
import * as ConfiguredQueue from "../../src/JobQueue/Configured.ts"
import * as Recording from "../../src/Mailer/Recording.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"

const jobs = Job.jobs(SendEmail.job)

const huey = "edumfa.lib.queues.huey_queue.HueyQueue"

const queue = (values: Parameters<typeof EdumfaConfig.layerValues>[0]) =>
  ConfiguredQueue.layer(jobs).pipe(Layer.provideMerge(Recording.layer), Layer.provide(EdumfaConfig.layerValues(values)))

const server: SmtpServer = {
  identifier: "campus",
  host: "mail.example.org",
  port: 587,
  tls: "StartTls",
  timeout: 10_000,
  enqueueJob: true
}

const mail = { recipient: "zoë@example.org", subject: "Für Zoë 🔑", body: "Your code is 493817." }

const send = SendEmail.sendEmail(server, mail, { delay: "1 minute", expires: "120 seconds" })

const recorded = Effect.flatMap(Recording.Outbox, ({ all }) => Effect.map(all, (list) => list.length))

/** What Python's own pickle makes of a message. */
const inPython = Effect.fnUntraced(function* (bytes: Buffer) {
  const script = fileURLToPath(new URL("../fixtures/python/huey_messages.py", import.meta.url))
  const options = { cwd: ".", input: JSON.stringify([bytes.toString("base64")]) }
  const { ended } = yield* Command.start("python3", ["-B", script, "load"], options)
  const { code, stdout, stderr } = yield* Effect.flatten(ended)
  if (code !== 0) return yield* Effect.dieMessage(`python3 is needed for this test: ${stderr}`)
  const [message]: ReadonlyArray<{ readonly Message: ReadonlyArray<unknown> }> = JSON.parse(stdout)
  return message?.Message ?? []
})

const Instant = Schema.decodeUnknownSync(Schema.Struct({ datetime: Schema.String }))

describe("JobQueue.Configured", () => {
  it.effect("is none without a class, and with immediate jobs", () =>
    Effect.gen(function* () {
      for (const values of [
        {},
        { EDUMFA_JOB_QUEUE_CLASS: "" },
        { EDUMFA_JOB_QUEUE_CLASS: huey, EDUMFA_JOB_QUEUE_IMMEDIATE: true }
      ]) {
        const sent = SendEmail.sendEmail(server, mail)
        expect(yield* Effect.provide(Effect.zipRight(sent, recorded), queue(values))).toBe(1)
      }
    })
  )

  it.effect("lists the classes it knows where the class is another", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(send, queue({ EDUMFA_JOB_QUEUE_CLASS: "celery.Queue" })))
      expect(error).toMatchObject({ _tag: "EdumfaConfigError", reason: "Invalid" })
      expect(error.message).toContain("write one of '', 'edumfa.lib.queues.huey_queue.HueyQueue', 'privacyidea.lib")
    })
  )

  it.scopedLive("puts on Redis what Python reads", () =>
    Effect.gen(function* () {
      const { connection, url } = yield* RedisServer.make()
      const values = {
        EDUMFA_JOB_QUEUE_CLASS: huey,
        EDUMFA_JOB_QUEUE_URL: url,
        EDUMFA_JOB_QUEUE_NAME: "campus mfa!"
      }
      const sent = yield* Effect.provide(Effect.zip(send, recorded), queue(values))
      expect(sent[1]).toBe(0)
      expect(yield* connection.use((client) => client.keys("*"))).toEqual(["huey.redis.campusmfa"])
      const bytes = yield* connection.use((client) => client.rpopBuffer("huey.redis.campusmfa"))
      const [id, name, eta, retries, retryDelay, priority, args, kwargs, , , expires, resolved] = yield* inPython(
        bytes ?? Buffer.alloc(0)
      )
      if (sent[0]._tag !== "Enqueued" || typeof id !== "string") return yield* Effect.fail("it is enqueued")
      expect(id).toBe(sent[0].jobId)
      expect(name).toBe("edumfa.lib.smtpserver.smtpserver.send_email")
      const at = Effect.runSync(Effect.orDie(JobId.enqueuedAt(id)))
      // Python's ISO form of a naive UTC time; the clock is read once for the id and once for the times.
      const elapsed = (time: unknown) => Date.parse(`${Instant(time).datetime}Z`) - at
      expect(elapsed(eta)).toBeGreaterThanOrEqual(60_000)
      expect(elapsed(eta)).toBeLessThan(61_000)
      expect(elapsed(resolved)).toBeGreaterThanOrEqual(120_000)
      expect(elapsed(resolved)).toBeLessThan(121_000)
      expect([retries, retryDelay, priority, kwargs, expires]).toEqual([
        { int: "7" },
        { int: "18" },
        null,
        { dict: [] },
        null
      ])
      expect(args).toEqual({
        tuple: [
          {
            dict: [
              ["identifier", "campus"],
              ["server", "mail.example.org"],
              ["port", { int: "587" }],
              ["username", ""],
              ["password", ""],
              ["sender", ""],
              ["tls", true],
              ["description", ""],
              ["timeout", { int: "10" }],
              ["enqueue_job", true]
            ]
          },
          "zoë@example.org",
          "Für Zoë 🔑",
          "Your code is 493817.",
          null,
          null,
          "plain"
        ]
      })
    })
  )

  it.scopedLive("fails to enqueue, and says why, while Redis does not answer", () =>
    Effect.gen(function* () {
      const port = yield* RedisServer.freePort
      const values = { EDUMFA_JOB_QUEUE_CLASS: huey, EDUMFA_JOB_QUEUE_PORT: port, EDUMFA_JOB_QUEUE_HOST: "127.0.0.1" }
      const error = yield* Effect.flip(Effect.provide(send, queue(values)))
      expect(error).toMatchObject({
        _tag: "EnqueueError",
        reason: "Unavailable",
        detail: "Redis does not answer (ECONNREFUSED)"
      })
    })
  )
})
