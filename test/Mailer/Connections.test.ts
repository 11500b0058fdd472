/**
 * Connections to a mail server are kept between mails.
 */

import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as EncKey from "../../src/EdumfaConfig/EncKey.ts"
import * as Connections from "../../src/Mailer/Connections.ts"
import * as Progress from "../../src/Mailer/Progress.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { type Mail, Mailer } from "../../src/Mailer.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as SmtpService from "../services/SmtpServer.ts"

const mailer = (options: Smtp.Options = {}) =>
  Smtp.layerOptions({ ehlo: "client.example.org", ...options }).pipe(
    Layer.provide(EncKey.layer("/missing")),
    Layer.provide(NodeContext.layer)
  )

const mail: Mail = { recipient: "ada@example.org", subject: "Code", body: "493817" }

const send = (server: SmtpServer, more: Partial<Mail> = {}, stop = StopSignal.never) =>
  Effect.gen(function* () {
    const { send } = yield* Mailer
    const date = yield* Clock.currentTimeMillis
    return yield* send(server, { ...mail, ...more }, { id: "id", date, stop })
  })

const nobody = (server: Context.Tag.Service<SmtpService.TestSmtpServer>) =>
  server.open.pipe(
    Effect.filterOrFail(
      (count) => count === 0,
      (count) => new Error(`${count} connections are open`)
    ),
    Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("3 seconds")))
  )

describe("connections", () => {
  it.scopedLive("carry one mail after another, and end with the mailer", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make()
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(mailer(), scope)
      expect(yield* server.connections).toBe(0)
      yield* Effect.provide(Effect.replicateEffect(send(server.definition), 5), context)
      expect(yield* server.connections).toBe(1)
      expect(yield* server.open).toBe(1)
      yield* Scope.close(scope, Exit.void)
      yield* nobody(server)
      expect(yield* server.size).toBe(5)
    })
  )

  it.scopedLive("are not waited for after the end of the mailer", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make()
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(mailer(), scope)
      yield* Effect.provide(send(server.definition), context)
      yield* Scope.close(scope, Exit.void)
      // One to a server it knew, and one to another.
      const other = { ...server.definition, timeout: server.definition.timeout + 1 }
      for (const definition of [server.definition, other]) {
        const late = Effect.timeout(Effect.flip(send(definition)), "5 seconds")
        expect(yield* Effect.provide(late, context)).toMatchObject({ reason: "Stopped", verdict: "Transient" })
      }
      expect(yield* server.connections).toBe(1)
    })
  )

  it.scopedLive("are at most as many to one server as are allowed", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make({ auth: "Required", subjects: { Slow: "Hang" } })
      const key = `127.0.0.1:${server.port}`
      const options = { servers: new Map([[key, { connections: 3 }]]) }
      yield* Effect.gen(function* () {
        const sending = yield* Effect.fork(
          Effect.replicateEffect(send(server.authenticated, { subject: "Slow" }), 30, { concurrency: 30 })
        )
        const held = yield* Effect.replicateEffect(server.held, 3)
        yield* Effect.forEach(held, ({ release }) => release)
        yield* Effect.replicateEffect(
          Effect.flatMap(server.held, ({ release }) => release),
          27
        )
        yield* Fiber.join(sending)
      }).pipe(Effect.provide(mailer(options)))
      expect(yield* server.connections).toBe(3)
      expect(yield* server.size).toBe(30)
    })
  )

  it.scopedLive("are not shared by different users of a server", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make({ auth: "Required" })
      yield* Effect.gen(function* () {
        yield* send(server.authenticated)
        const stranger = { ...server.authenticated, username: "stranger" }
        expect((yield* Effect.flip(send(stranger))).reason).toBe("Authentication")
        const nameless = server.definition
        expect((yield* Effect.flip(send(nameless))).verdict).toBe("Configuration")
        yield* send(server.authenticated)
      }).pipe(Effect.provide(mailer()))
      expect(yield* server.connections).toBe(3)
    })
  )

  it.scopedLive("that a server ended while they were idle cost the next mail nothing", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make()
      yield* Effect.gen(function* () {
        yield* Effect.replicateEffect(send(server.definition), 4, { concurrency: 4 })
        const before = yield* server.connections
        yield* server.cut
        const delivery = yield* send(server.definition)
        expect(delivery.accepted).toEqual(["ada@example.org"])
        expect(yield* server.connections).toBe(before + 1)
      }).pipe(Effect.provide(mailer()))
    })
  )

  it.scopedLive("go on after a mail that was refused, whoever refused what", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make({
        recipients: { "gone@example.org": { code: 550, text: "no user" } },
        subjects: { Spam: { code: 554, text: "spam" } }
      })
      yield* Effect.gen(function* () {
        yield* send(server.definition)
        const refused = yield* send(server.definition, { recipient: "gone@example.org" })
        expect(refused.refused).toMatchObject([{ verdict: "Permanent", code: 550 }])
        expect((yield* Effect.flip(send(server.definition, { subject: "Spam" }))).reason).toBe("Refused")
        yield* send(server.definition)
      }).pipe(Effect.provide(mailer()))
      expect(yield* server.connections).toBe(1)
      expect(yield* server.size).toBe(2)
    })
  )

  it.scopedLive("are left for new ones after a hundred mails", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make()
      yield* Effect.provide(Effect.replicateEffect(send(server.definition), 101, { discard: true }), mailer())
      expect(yield* server.connections).toBe(2)
      expect(yield* server.size).toBe(101)
    })
  )

  it.scopedLive("are not waited for longer than the attempt may wait", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make({ subjects: { Slow: "Hang" } })
      const options = { servers: new Map([[`127.0.0.1:${server.port}`, { connections: 1 }]]) }
      yield* Effect.gen(function* () {
        const slow = yield* Effect.fork(send(server.definition, { subject: "Slow" }))
        const held = yield* server.held
        const stop = StopSignal.unsafeMake()
        const waiting = yield* Effect.fork(Effect.flip(send(server.definition, {}, stop)))
        yield* Effect.yieldNow()
        yield* StopSignal.stop(stop, "Drain")
        expect(yield* Fiber.join(waiting)).toMatchObject({ reason: "Stopped", verdict: "Transient" })
        yield* held.release
        expect((yield* Fiber.join(slow)).accepted).toEqual(["ada@example.org"])
        // The one that gave up has left nothing behind: the connection is free for the next.
        yield* send(server.definition)
        expect(yield* server.connections).toBe(1)
      }).pipe(Effect.provide(mailer(options)))
    })
  )

  it.scopedLive("go to the next where whoever is served is stopped in the same turn", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make()
      const connections = yield* Connections.make({ admit: (_server, _login, open) => open, guard: () => Effect.never })
      const options = { connections: 1 }
      const destination = { server: server.definition, options, credentials: undefined, ehlo: "client.example.org" }
      const sent: Array<string> = []
      const use = (progress: Progress.Progress, name: string, work: Effect.Effect<void> = Effect.void) =>
        connections.use(destination, progress, () =>
          Effect.zipRight(
            Effect.sync(() => sent.push(name)),
            work
          )
        )
      const progress = Progress.unsafeMake()
      const gate = yield* Deferred.make<void>()
      const first = yield* use(Progress.unsafeMake(), "first", Deferred.await(gate)).pipe(
        // It has given its connection back, and the second has not gone on yet.
        Effect.map(() => Progress.abandon(progress)),
        Effect.fork
      )
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(Effect.flip(use(progress, "second")))
      const third = yield* Effect.fork(use(Progress.unsafeMake(), "third"))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(first)).toBe(true)
      expect(yield* Fiber.join(second)).toMatchObject({ reason: "Stopped", detail: "before the mail" })
      yield* Fiber.join(third)
      expect([sent, yield* server.connections]).toEqual([["first", "third"], 1])
    })
  )

  it.scopedLive("that cannot be opened fail all the mails that wait for them, at once", () =>
    Effect.gen(function* () {
      const port = yield* RedisServer.freePort
      const { definition } = yield* SmtpService.make()
      const failing = Effect.flip(send({ ...definition, port, timeout: 60_000 }))
      const errors = yield* Effect.replicateEffect(failing, 1_000, { concurrency: "unbounded" }).pipe(
        Effect.provide(mailer()),
        Effect.timeout("15 seconds")
      )
      expect(errors).toHaveLength(1_000)
      for (const { reason } of errors) expect(["Connect", "BreakerOpen"]).toContain(reason)
    })
  )

  it.scopedLive("that are being opened do not keep a mail that is told to stop", () =>
    Effect.gen(function* () {
      const server = yield* SmtpService.make({ greeting: "Hang" })
      const stop = StopSignal.unsafeMake()
      const sending = yield* Effect.fork(
        Effect.flip(send({ ...server.definition, timeout: 60_000 }, {}, stop)).pipe(Effect.provide(mailer()))
      )
      yield* server.held
      yield* StopSignal.stop(stop, "Drain")
      const { reason } = yield* Effect.timeout(Fiber.join(sending), "20 seconds")
      expect(reason).toBe("Stopped")
    })
  )

  it.scopedLive("are not used any more where a server denies five recipients in a row: the breaker is open", () =>
    Effect.gen(function* () {
      const names = ["a", "b", "c", "d", "e", "f"].map((name) => `${name}@example.org`)
      const server = yield* SmtpService.make({
        recipients: Object.fromEntries(names.map((name) => [name, { code: 550, text: "5.7.1 relay denied" }]))
      })
      yield* Effect.gen(function* () {
        yield* send(server.definition)
        for (const recipient of names.slice(0, 5)) {
          expect((yield* send(server.definition, { recipient })).refused).toMatchObject([{ verdict: "Permanent" }])
        }
        const error = yield* Effect.flip(send(server.definition, { recipient: names[5] ?? "" }))
        expect(error).toMatchObject({ reason: "BreakerOpen", verdict: "Postponed" })
        expect(yield* server.asked).not.toContain(names[5])
      }).pipe(Effect.provide(mailer()))
    })
  )
})
