/**
 * Workers, Redis and mail servers, all real, where a mail server refuses the password or does not answer.
 */
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Job from "../../src/Job.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import * as Circuit from "../../src/Mailer/Breaker/Circuit.ts"
import * as RedisBreakers from "../../src/Mailer/Breaker/Redis.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import * as Redis from "../../src/Redis.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as Worker from "../../src/Worker.ts"
import * as Command from "../services/Command.ts"
import * as LoginServer from "../services/LoginServer.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as Site from "../services/Site.ts"
import * as TestSmtpServer from "../services/SmtpServer.ts"
import { logging } from "../services/TestWorker.ts"

/** A worker with a mailer, connections and breakers of its own, as a process has them. */
const startWorker = (port: number, rules: Circuit.Rules) => {
  const redis = Redis.layer({ host: "127.0.0.1", port, db: 0 })
  const store = RedisStore.layer({
    queueName: "huey",
    lease: Duration.seconds(30),
    scheduleOffset: () => 0,
    block: Option.some(5)
  }).pipe(Layer.provide(redis))
  const mailer = Smtp.layerShared({ ehlo: "worker.example.org", breaker: { rules } }).pipe(
    Layer.provide(Layer.provide(RedisBreakers.layer("huey"), redis)),
    Layer.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
  )
  return Worker.run(Job.jobs(SendEmail.job), { firstBacklog: 0, grace: 0 }).pipe(
    Effect.provide(Layer.merge(store, mailer)),
    Effect.forkScoped
  )
}

const enqueue = (port: number, definition: SmtpServer, count: number) =>
  Site.enqueueAll(
    port,
    { definition },
    Array.from({ length: count }, (_, index) => ({ ...Site.mail, recipient: `u${index}@example.org` }))
  )

const recipients = (count: number) => Array.from({ length: count }, (_, index) => `u${index}@example.org`).sort()

describe("a mail server that refuses the password", { concurrent: true }, () => {
  it.scopedLive(
    "sees four logins within ten minutes of three workers with 2000 mails, which arrive once it is right",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const login = yield* LoginServer.make
        const other = yield* TestSmtpServer.make()
        const { layer: logger, lines } = logging()
        const second = 10
        // The mail servers are as fast as ever.
        const rules = { ...Circuit.scaled(Circuit.standard, second / 1_000), silence: Circuit.standard.silence }
        yield* enqueue(redis.port, login.definition, 2_000)
        yield* Effect.replicateEffect(startWorker(redis.port, rules), 3).pipe(Effect.provide(logger))
        const first = yield* login.refusal
        yield* enqueue(redis.port, other.definition, 200)
        const mails = yield* other.take(200)
        expect(mails.flatMap((mail) => mail.recipients).sort()).toEqual(recipients(200))
        const later = yield* Effect.replicateEffect(login.refusal, 3)
        const seconds = later.map((at) => (at - first) / second)
        expect(seconds[0]).toBeGreaterThanOrEqual(60)
        expect(seconds[1]).toBeGreaterThanOrEqual(300)
        expect(seconds[2]).toBeGreaterThanOrEqual(600)
        // On a slow machine more than these ten minutes may be over: one more for each five of them.
        const more = Effect.map(Clock.currentTimeMillis, (now) => Math.floor(((now - first) / second - 600) / 300))
        expect(yield* login.refused).toBeLessThanOrEqual(yield* more)
        yield* login.accept
        const last = yield* more
        expect((yield* login.take(2_000)).sort()).toEqual(recipients(2_000))
        expect(yield* login.refused).toBeLessThanOrEqual(last)
        const told = lines.filter((line) => line.includes(" works again") || line.startsWith("ERROR"))
        expect(told).toEqual([
          expect.stringMatching(
            /^ERROR the login at mail server .* does not work, mails for it wait, .*: at login: 535/
          ),
          expect.stringMatching(/^INFO the login at mail server .* works again/)
        ])
        // Not one attempt was counted, and no mail but the ones that probed came so far.
        const retries = lines.filter((line) => line.includes(" retry in "))
        expect(retries.length).toBeGreaterThanOrEqual(4)
        expect(retries.length).toBeLessThanOrEqual(4 + last)
        for (const line of retries) expect(line).toContain(" at no cost of an attempt: ")
      }),
    60_000
  )
})

describe("the command", { concurrent: true }, () => {
  it.scopedLive(
    "tries a refused login once in a minute, though there are two workers and one starts anew",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const login = yield* LoginServer.make
        const other = yield* TestSmtpServer.make()
        const cwd = yield* Command.directory({ "edumfa.cfg": Site.queueCfg(redis.port, "EDUMFA_LOGLEVEL = 10") })
        const start = (name: string) => Command.command(["--config", "edumfa.cfg", "-l", `${name}.log`], { cwd })
        yield* enqueue(redis.port, login.definition, 50)
        const both = yield* Effect.all([start("one"), start("two")])
        yield* login.refusal
        const third = yield* start("three")
        yield* Command.logged(join(cwd, "three.log"), / started, /)
        // So that the new one gets what is enqueued now.
        yield* Effect.forEach(both, (worker) => worker.kill("SIGSTOP"))
        yield* enqueue(redis.port, login.definition, 50)
        yield* Command.logged(
          join(cwd, "three.log"),
          /\[DEBUG\].* waits \d+\.\d s: BreakerOpen: the login at .* does not work/
        )
        yield* Effect.forEach(both, (worker) => worker.kill("SIGCONT"))
        yield* third.kill("SIGTERM")
        yield* Effect.flatten(third.ended)
        yield* enqueue(redis.port, login.definition, 1)
        yield* enqueue(redis.port, other.definition, 10)
        expect(yield* other.take(10)).toHaveLength(10)
        expect(yield* login.logins).toBe(1)
        const logs = ["one", "two", "three"].map((name) => readFileSync(join(cwd, `${name}.log`), "utf8")).join("")
        // That a server gets a password for the first time is known to all, over the new start.
        expect(logs.match(/gets a password from this queue for the first time/g)).toHaveLength(1)
        expect(logs.split("\n").filter((line) => /\[ERROR\]/.test(line))).toEqual([
          expect.stringMatching(
            /the login at mail server .* does not work, mails for it wait, tried again in 60\.0 s: /
          )
        ])
        expect(logs).not.toContain("mail-password")
      }),
    60_000
  )
})

/** Accepts connections and says nothing. */
const silentServer = Effect.acquireRelease(
  Effect.async<{ readonly port: number; readonly open: () => number; readonly close: () => void }>((resume) => {
    const sockets = new Set<{ readonly destroy: () => void }>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => sockets.delete(socket))
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      resume(Effect.succeed({ port, open: () => sockets.size, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("a mail server that does not answer", { concurrent: true }, () => {
  it.scopedLive(
    "leaves half of the slots to the mails of another, though all that waits is for it",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const silent = yield* silentServer
        const other = yield* TestSmtpServer.make()
        const { layer: logger, lines } = logging()
        // It is never found open: the breaker is not what is looked at.
        const rules = { ...Circuit.standard, failures: 1_000_000, silence: 500 }
        const definition = { ...other.definition, port: silent.port, timeout: 60_000 }
        yield* Effect.provide(startWorker(redis.port, rules), logger)
        yield* enqueue(redis.port, definition, 500)
        const mails = enqueue(redis.port, other.definition, 100).pipe(Effect.zipRight(other.take(100)))
        expect(yield* Effect.timeout(mails, "20 seconds")).toHaveLength(100)
        expect(silent.open()).toBeLessThanOrEqual(4)
        expect(silent.open()).toBeGreaterThan(0)
        expect(lines.filter((line) => line.includes(" retry in "))).toEqual([])
      }),
    60_000
  )
})

describe("a mail server that is silent after the final dot", { concurrent: true }, () => {
  it.scopedLive("leaves half of the slots to the mails of another", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const silent = yield* TestSmtpServer.make({ subjects: { "Your code": "Hang" } })
      const other = yield* TestSmtpServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": Site.queueCfg(redis.port) })
      yield* Site.enqueueAll(
        redis.port,
        silent,
        Array.from({ length: 8 }, () => Site.mail)
      )
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* Effect.replicateEffect(silent.held, 4)
      yield* Site.enqueueAll(redis.port, other, [{ ...Site.mail, subject: "At once" }])
      expect(yield* Effect.timeout(other.take(1), "5 seconds")).toHaveLength(1)
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.timeout(Effect.flatten(worker.ended), "9 seconds")).toMatchObject({ code: 0 })
    })
  )
})
