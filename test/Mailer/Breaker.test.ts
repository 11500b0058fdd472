/**
 * What breakers promise, of one process and of several that share a Redis: each client is a mailer's breaker of its own.
 */
import { describe, expect, it, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as JobId from "../../src/JobId.ts"
import { BreakerStore, BreakerStoreError, makeMemory } from "../../src/Mailer/Breaker/BreakerStore.ts"
import * as Circuit from "../../src/Mailer/Breaker/Circuit.ts"
import * as RedisBreakers from "../../src/Mailer/Breaker/Redis.ts"
import * as Breaker from "../../src/Mailer/Breaker.ts"
import { MailerError, type MailerReason, type MailerVerdict } from "../../src/Mailer.ts"
import * as Redis from "../../src/Redis.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { logging } from "../services/TestWorker.ts"

const server: SmtpServer = {
  identifier: "test",
  host: "Mail.example.org",
  port: 25,
  tls: "Opportunistic",
  timeout: 10_000,
  enqueueJob: true
}
const credentials = { username: "mfa", password: Redacted.make("a-password") }

const error = (reason: MailerReason, verdict: MailerVerdict = "Transient") =>
  new MailerError({ reason, verdict, detail: "as scripted" })
const refusal = Effect.fail(error("Authentication", "Configuration"))
const silence = Effect.fail(error("Timeout"))
const works = Effect.succeed("works")

/** What a try came to: what it answered with, or the reason of its failure. */
const outcome = <R>(effect: Effect.Effect<string, MailerError, R>) =>
  Effect.match(effect, { onSuccess: (answer) => answer, onFailure: ({ reason }) => reason })

/** Waits until a try passes; how many were kept from it meanwhile. */
const patiently = <R>(effect: Effect.Effect<string, MailerError, R>) =>
  Effect.gen(function* () {
    for (;;) {
      const answer = yield* outcome(effect)
      if (answer !== "BreakerOpen") return answer
      yield* Effect.sleep(5)
    }
  }).pipe(Effect.timeout("10 seconds"))

/** An hour is 3.6 seconds: five minutes are 300 ms. */
const quick = Circuit.scaled(Circuit.standard, 1 / 1_000)
/** Nothing ends while a test runs. */
const slow = Circuit.scaled(Circuit.standard, 1_000)

/** Makes clients that share one store, each by its own way to it. */
type Clients = (
  rules: Circuit.Rules,
  count: number
) => Effect.Effect<ReadonlyArray<Breaker.Breaker>, never, Scope.Scope | RedisServer.RedisServer>

const memory: Clients = (rules, count) =>
  Effect.suspend(() => {
    const store = makeMemory()
    return Effect.replicateEffect(Effect.provideService(Breaker.make({ rules }), BreakerStore, store), count)
  })

const redis: Clients = (rules, count) =>
  Effect.gen(function* () {
    const { port } = yield* RedisServer.RedisServer
    const name = yield* JobId.make
    return yield* Effect.replicateEffect(
      Effect.flatMap(RedisBreakers.make(name), (store) =>
        Effect.provideService(Breaker.make({ rules }), BreakerStore, store)
      ).pipe(Effect.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 }))),
      count
    )
  })

describe.each([
  ["in memory", memory],
  ["on Redis", redis]
])("breakers %s", (_, clients) => {
  layer(RedisServer.layer, { excludeTestServices: true })((it) => {
    it.scoped("let one login try for all where it never worked, and all once it has", () =>
      Effect.gen(function* () {
        const all = yield* clients(slow, 3)
        const [first, second, third] = all
        const answered = yield* Deferred.make<string>()
        const begun = yield* Deferred.make<void>()
        if (first === undefined || second === undefined || third === undefined) return
        const login = Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(answered))
        const trying = yield* Effect.fork(first.admit(server, credentials, login))
        yield* Deferred.await(begun)
        for (const client of [second, third]) {
          const kept = yield* Effect.flip(client.admit(server, credentials, works))
          expect([kept.reason, kept.verdict]).toEqual(["BreakerOpen", "Postponed"])
          expect(kept.retryIn).toBeGreaterThan(1_000)
          expect(kept.detail).toBe("the login at mail server mail.example.org:25 is being tried first")
        }
        yield* Deferred.succeed(answered, "works")
        expect(yield* Fiber.join(trying)).toBe("works")
        expect(yield* first.admit(server, credentials, works)).toBe("works")
      })
    )

    it.scoped("remember a login that worked for whoever starts later", () =>
      Effect.gen(function* () {
        const [first, second] = yield* clients(slow, 2)
        if (first === undefined || second === undefined) return
        expect(yield* first.admit(server, credentials, works)).toBe("works")
        // The second never asked before: two at once pass.
        const both = second.admit(server, credentials, second.admit(server, credentials, works))
        expect(yield* both).toBe("works")
      })
    )

    it.scoped("keep all from a login that was refused, and nobody else", () =>
      Effect.gen(function* () {
        const [first, second] = yield* clients(slow, 2)
        if (first === undefined || second === undefined) return
        expect(yield* outcome(first.admit(server, credentials, refusal))).toBe("Authentication")
        expect(yield* outcome(first.admit(server, credentials, works))).toBe("BreakerOpen")
        expect(yield* outcome(second.admit({ ...server, host: "mail.EXAMPLE.org" }, credentials, works))).toBe(
          "BreakerOpen"
        )
        const other = { ...credentials, password: Redacted.make("another-password") }
        expect(yield* outcome(second.admit(server, other, works))).toBe("works")
        expect(yield* outcome(second.admit(server, undefined, works))).toBe("works")
        expect(yield* outcome(second.admit({ ...server, port: 587 }, credentials, works))).toBe("works")
      })
    )

    it.scoped("open at the fifth silence in a row, whoever meets it", () =>
      Effect.gen(function* () {
        const all = yield* clients({ ...slow, refresh: 0 }, 3)
        const [first, second, third] = all
        if (first === undefined || second === undefined || third === undefined) return
        for (const client of [first, second, third, first]) {
          expect(yield* outcome(client.admit(server, undefined, silence))).toBe("Timeout")
        }
        expect(
          yield* outcome(
            second.guard(
              server,
              () => works,
              () => true
            )
          )
        ).toBe("works")
        for (const client of [first, second, third, first]) {
          expect(yield* outcome(client.admit(server, undefined, silence))).toBe("Timeout")
        }
        // One on an open connection counts as well.
        expect(
          yield* outcome(
            second.guard(
              server,
              () => silence,
              () => true
            )
          )
        ).toBe("Timeout")
        for (const client of all) expect(yield* outcome(client.admit(server, undefined, works))).toBe("BreakerOpen")
        // A mail over a connection that is open still is proof that the server answers.
        expect(
          yield* outcome(
            third.guard(
              server,
              () => works,
              () => true
            )
          )
        ).toBe("works")
        for (const client of all) expect(yield* outcome(client.admit(server, undefined, works))).toBe("works")
      })
    )

    it.scoped("stay closed where each failure has an answer before it, in however many workers", () =>
      Effect.gen(function* () {
        const all = yield* clients(slow, 6)
        const guard = (client: Breaker.Breaker, answer: Effect.Effect<string, MailerError>) =>
          outcome(
            client.guard(
              server,
              () => answer,
              () => true
            )
          )
        // So that a further answer is no news to any of them, and the store hears of the failures alone.
        for (const client of all) expect(yield* guard(client, works)).toBe("works")
        for (const client of all) {
          expect(yield* guard(client, works)).toBe("works")
          // Not in the same millisecond, by any worker's idea of the store's time.
          yield* Effect.sleep(20)
          expect(yield* guard(client, silence)).toBe("Timeout")
          yield* Effect.sleep(20)
        }
        for (const client of all) expect(yield* outcome(client.admit(server, undefined, works))).toBe("works")
      })
    )

    it.scoped("open at once for a bad certificate, for this way of TLS alone", () =>
      Effect.gen(function* () {
        const [first, second] = yield* clients(slow, 2)
        if (first === undefined || second === undefined) return
        const secure = { ...server, tls: "StartTls" } as const
        yield* outcome(first.admit(secure, credentials, Effect.fail(error("Tls", "Configuration"))))
        expect(yield* outcome(second.admit(secure, credentials, works))).toBe("BreakerOpen")
        expect(yield* outcome(second.admit(server, credentials, works))).toBe("works")
      })
    )

    it.scoped("let one probe for all when the time is over, and close after one that works", () =>
      Effect.gen(function* () {
        const all = yield* clients(quick, 3)
        const [first] = all
        if (first === undefined) return
        const { layer: logger, lines } = logging()
        yield* Effect.gen(function* () {
          yield* outcome(first.admit(server, credentials, refusal))
          let tries = 0
          const login = Effect.suspend(() => (++tries < 3 ? refusal : works))
          const answers = yield* Effect.forEach(
            [...all, ...all],
            (client) => {
              const again: Effect.Effect<string, unknown> = Effect.flatMap(
                patiently(client.admit(server, credentials, login)),
                (answer) => (answer === "works" ? Effect.succeed(answer) : again)
              )
              return again
            },
            { concurrency: "unbounded" }
          )
          expect(answers).toEqual(Array.from({ length: 6 }, () => "works"))
          // Two in vain, one that works, and then each of the other five passes.
          expect(tries).toBe(8)
        }).pipe(Effect.provide(logger))
        expect(lines.filter((line) => !line.startsWith("DEBUG"))).toEqual([
          "ERROR the login at mail server mail.example.org:25 does not work, mails for it wait, tried again in 0.1 s: as scripted",
          "INFO the login at mail server mail.example.org:25 works again"
        ])
      })
    )

    it.scoped("let the next one try where a first try ended before the login", () =>
      Effect.gen(function* () {
        const [first, second] = yield* clients(slow, 2)
        if (first === undefined || second === undefined) return
        expect(yield* outcome(first.admit(server, credentials, silence))).toBe("Timeout")
        const stopped = yield* Effect.fork(first.admit(server, credentials, Effect.never))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(stopped)
        // What the second knows is a second old at most.
        expect(yield* outcome(second.admit(server, credentials, works))).toBe("works")
      })
    )
  })
})

describe("a breaker", () => {
  it.scopedLive("stops nobody where its store does not answer, and goes on by what it knows itself", () =>
    Effect.gen(function* () {
      let asked = 0
      const away = BreakerStore.of({
        exchange: () =>
          Effect.suspend(() => {
            asked++
            return Effect.fail(new BreakerStoreError({ detail: "away", cause: undefined }))
          })
      })
      const breaker = yield* Effect.provideService(Breaker.make({ rules: slow }), BreakerStore, away)
      expect(yield* outcome(breaker.admit(server, credentials, works))).toBe("works")
      expect(yield* outcome(breaker.admit(server, credentials, works))).toBe("works")
      const other = { ...credentials, username: "other" }
      expect(yield* outcome(breaker.admit(server, other, refusal))).toBe("Authentication")
      expect(yield* outcome(breaker.admit(server, other, works))).toBe("BreakerOpen")
      expect(asked).toBe(1)
    })
  )

  it.scopedLive(
    "lets a mail wait for the answer to the next one where one was not answered, and does not send it back",
    () =>
      Effect.gen(function* () {
        const breaker = yield* Effect.provideService(
          Breaker.make({ slots: 8, rules: slow }),
          BreakerStore,
          makeMemory()
        )
        const answering = yield* Deferred.make<string>()
        const send = (answer: Effect.Effect<string, MailerError>) =>
          outcome(
            breaker.guard(
              server,
              () => answer,
              () => true
            )
          )
        const hung = yield* Effect.replicateEffect(Effect.fork(send(Deferred.await(answering))), 4)
        expect(yield* send(silence)).toBe("Timeout")
        const next = yield* Effect.fork(send(works))
        yield* Effect.yieldNow()
        expect(yield* Fiber.poll(next)).toEqual(Option.none())
        yield* Deferred.succeed(answering, "works")
        for (const fiber of [...hung, next]) expect(yield* Fiber.join(fiber)).toBe("works")
      })
  )

  it.scopedLive("gives a server that does not answer half of the slots, until it answers", () =>
    Effect.gen(function* () {
      const rules = { ...slow, turn: 200 }
      const breaker = yield* Effect.provideService(Breaker.make({ slots: 8, rules }), BreakerStore, makeMemory())
      const hanging = yield* Deferred.make<string>()
      const hang = breaker.guard(
        server,
        () => Deferred.await(hanging),
        () => true
      )
      yield* outcome(
        breaker.guard(
          server,
          () => silence,
          () => true
        )
      )
      const fibers = yield* Effect.replicateEffect(Effect.fork(hang), 4)
      yield* Effect.yieldNow()
      const kept = yield* Effect.flip(
        breaker.guard(
          server,
          () => works,
          () => true
        )
      )
      expect([kept.reason, kept.verdict, kept.detail]).toEqual([
        "BreakerOpen",
        "Postponed",
        "mail server mail.example.org:25 does not answer, and has half of the slots"
      ])
      expect(
        yield* outcome(
          breaker.guard(
            { ...server, port: 26 },
            () => works,
            () => true
          )
        )
      ).toBe("works")
      yield* Deferred.succeed(hanging, "works")
      for (const fiber of fibers) expect(yield* Fiber.join(fiber)).toBe("works")
      const again = yield* Effect.replicateEffect(Effect.fork(hang), 8)
      for (const fiber of again) expect(yield* Fiber.join(fiber)).toBe("works")
    })
  )

  it.scopedLive(
    "lets the mails of a queue wait for a server's first answer, and sends half of them back where there is none",
    () =>
      Effect.gen(function* () {
        const rules = Circuit.scaled(Circuit.standard, 4)
        const options = { slots: 8, queued: true, rules }
        const breaker = yield* Effect.provideService(Breaker.make(options), BreakerStore, makeMemory())
        const send = (port: number, answer: Effect.Effect<string, MailerError>) =>
          breaker.guard(
            { ...server, port },
            () => answer,
            () => true
          )
        const prompt = yield* Effect.replicateEffect(Effect.fork(outcome(send(25, Effect.delay(works, 20)))), 8)
        for (const fiber of prompt) expect(yield* Fiber.join(fiber)).toBe("works")
        const mute = yield* Effect.replicateEffect(Effect.fork(outcome(send(26, Effect.never))), 8)
        const [, , , , ...others] = mute
        for (const fiber of others) expect(yield* Fiber.join(fiber)).toBe("BreakerOpen")
        // Nobody waits for it a second time.
        expect(yield* Effect.timeout(outcome(send(26, works)), rules.turn / 4)).toBe("BreakerOpen")
        yield* Effect.forEach(mute, Fiber.interrupt)
      })
  )

  it.scopedLive("gives up what a server has in hand beyond half of the slots, where none of its mails ends", () =>
    Effect.gen(function* () {
      const rules = { ...slow, silence: 200, turn: 100 }
      const breaker = yield* Effect.provideService(Breaker.make({ slots: 8, rules }), BreakerStore, makeMemory())
      const hang = (port: number) =>
        Effect.flatMap(Deferred.make<string, MailerError>(), (end) =>
          breaker.guard(
            { ...server, port },
            (begun) => {
              begun((error) => Deferred.unsafeDone(end, Effect.fail(error)))
              return Deferred.await(end)
            },
            () => true
          )
        )
      const fibers = yield* Effect.forEach([1, 1, 1, 1, 1, 1, 2, 2, 2, 2], (port) => Effect.fork(hang(port)))
      const ended = (fiber: Fiber.RuntimeFiber<string, MailerError>) => Effect.map(Fiber.poll(fiber), Option.isSome)
      const [, , , , fifth, sixth] = fibers
      if (fifth === undefined || sixth === undefined) return
      for (const fiber of [fifth, sixth]) expect(yield* outcome(Fiber.join(fiber))).toBe("BreakerOpen")
      expect(yield* Effect.filter(fibers, ended)).toEqual([fifth, sixth])
      expect(yield* outcome(hang(1))).toBe("BreakerOpen")
      yield* Effect.forEach(fibers, Fiber.interrupt)
    })
  )

  it.scopedLive("lets a server that answers keep more than half of the slots, however slow it is", () =>
    Effect.gen(function* () {
      const rules = { ...slow, silence: 200 }
      const breaker = yield* Effect.provideService(Breaker.make({ slots: 8, rules }), BreakerStore, makeMemory())
      const given: Array<MailerError> = []
      const send = (millis: number) =>
        breaker.guard(
          server,
          (begun) => {
            begun((error) => given.push(error))
            return Effect.delay(works, millis)
          },
          () => true
        )
      const lasting = yield* Effect.replicateEffect(Effect.fork(send(800)), 7)
      for (let count = 0; count < 9; count++) yield* send(80)
      yield* Effect.forEach(lasting, Fiber.join)
      expect(given).toEqual([])
    })
  )
})

describe("what breakers leave on Redis", () => {
  it.scopedLive("is a state by server and login, without user name and password, for a week", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const store = yield* RedisBreakers.make("huey").pipe(
        Effect.provide(Redis.layer({ host: "127.0.0.1", port: redis.port, db: 0 }))
      )
      const breaker = yield* Effect.provideService(Breaker.make(), BreakerStore, store)
      yield* outcome(breaker.admit(server, credentials, refusal))
      yield* outcome(breaker.admit(server, undefined, silence))
      const { use } = redis.connection
      const states = yield* use((client) => client.hgetall("{huey.redis.huey}:q:breaker"))
      expect(Object.keys(states).sort()).toEqual([
        "connect mail.example.org:25 Opportunistic",
        expect.stringMatching(/^login mail\.example\.org:25 [0-9a-f]{4}$/)
      ])
      expect(JSON.stringify(states)).not.toMatch(/mfa|password/)
      const left = yield* use((client) => client.pttl("{huey.redis.huey}:q:breaker"))
      expect(left).toBeGreaterThan(6 * 24 * 3_600_000)
      expect(left).toBeLessThanOrEqual(7 * 24 * 3_600_000)
    })
  )

  it.scopedLive("is the same where a swap is executed twice, and for one of two who swap at once", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const { exchange } = yield* RedisBreakers.make("huey").pipe(
        Effect.provide(Redis.layer({ host: "127.0.0.1", port: redis.port, db: 0 }))
      )
      const swap = { expected: "", next: "4000000000000|a|{}" }
      const stored = (effect: ReturnType<typeof exchange>) => Effect.map(effect, (found) => found.stored)
      expect(yield* stored(exchange("x"))).toBe("")
      expect(yield* stored(exchange("x", swap))).toBe(swap.next)
      expect(yield* stored(exchange("x", swap))).toBe(swap.next)
      expect(yield* stored(exchange("x", { expected: "", next: "4000000000000|b|{}" }))).toBe(swap.next)
      expect(yield* stored(exchange("x", { expected: swap.next, next: "4000000000000|c|{}" }))).toBe(
        "4000000000000|c|{}"
      )
      // Again the first, late: it changes nothing.
      expect(yield* stored(exchange("x", swap))).toBe("4000000000000|c|{}")
    })
  )
})
