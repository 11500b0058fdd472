import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Circuit from "../../../src/Mailer/Breaker/Circuit.ts"
import * as Places from "../../../src/Mailer/Breaker/Places.ts"
import type { Hand } from "../../../src/Mailer/Breaker/Share.ts"
import type { MailerError } from "../../../src/Mailer.ts"
import * as Monotonic from "../../../src/Monotonic.ts"
import type { SmtpServer } from "../../../src/SmtpServer.ts"

const server: SmtpServer = {
  identifier: "test",
  host: "mail.example.org",
  port: 25,
  tls: "Opportunistic",
  timeout: 10_000,
  enqueueJob: true
}

/** Eight slots, and mails of one server in them that wait for its answer. */
const withMails = (count: number) =>
  Effect.gen(function* () {
    const places = yield* Places.make({ slots: 8, isCautious: false }, Circuit.standard)
    const clock = yield* Effect.clock
    const hands: Array<Hand> = []
    const take = (send: (hand: Hand) => Effect.Effect<string, MailerError>) =>
      Effect.suspend(() => places.take(server, clock, send))
    const hang = take((hand) =>
      Effect.flatMap(Deferred.make<string, MailerError>(), (end) => {
        hand.giveUp = () => {
          places.leave(hand)
          Deferred.unsafeDone(end, Effect.fail(Places.giveUp(hand, Circuit.standard)))
        }
        hands.push(hand)
        return Deferred.await(end)
      })
    )
    yield* Effect.replicateEffect(Effect.forkScoped(hang), count)
    yield* TestClock.adjust(0)
    const [first] = hands
    if (first === undefined) throw new Error("no mail in hand")
    const failed = Effect.map(Monotonic.millis, (now) => places.failed(first, now))
    const answered = Effect.map(Monotonic.millis, (now) => places.answered(first, now))
    /** One more, which is in hand or sent back. */
    const next = Effect.either(
      take((hand) =>
        Effect.as(
          Effect.sync(() => places.leave(hand)),
          "begun"
        )
      )
    )
    return { answered, failed, next }
  })

/** Of which the delay of a retry then takes up to a tenth; and it is never more than a second later for all that. */
const expectRest = (retryIn: number | undefined, rest: number) => {
  expect(retryIn).toBeGreaterThanOrEqual(rest * 1.1)
  expect(retryIn).toBeLessThanOrEqual(rest * 1.12 + 1_001)
}

describe("a mail for a server that has half of the slots and is silent", () => {
  it.scoped.each([
    { silent: 250, rest: 1_000 },
    { silent: 3_000, rest: 3_000 },
    { silent: 60_000, rest: 5_000 }
  ])("is sent back for $rest ms after $silent ms, whatever failed since", ({ rest, silent }) =>
    Effect.gen(function* () {
      const { failed, next } = yield* withMails(4)
      // Of which their mails, that may be slow, say nothing.
      yield* TestClock.adjust("10 seconds")
      yield* failed
      yield* TestClock.adjust(silent - 1)
      yield* failed
      yield* TestClock.adjust(1)
      expectRest(Either.getOrThrow(Either.flip(yield* next)).retryIn, rest)
    })
  )

  it.scoped("waits a quarter of a second after it failed, and is sent back for a second", () =>
    Effect.gen(function* () {
      const { failed, next } = yield* withMails(4)
      // Of which their mails, that may be slow, say nothing.
      yield* TestClock.adjust("10 seconds")
      yield* failed
      yield* TestClock.adjust(100)
      const waiting = yield* Effect.fork(next)
      yield* TestClock.adjust(149)
      expect(waiting.unsafePoll()).toBe(null)
      yield* TestClock.adjust(1)
      expectRest(Either.getOrThrow(Either.flip(yield* Fiber.join(waiting))).retryIn, 1_000)
    })
  )

  it.scoped("is begun as soon as the server answers", () =>
    Effect.gen(function* () {
      const { answered, failed, next } = yield* withMails(4)
      // Of which their mails, that may be slow, say nothing.
      yield* TestClock.adjust("10 seconds")
      yield* failed
      const waiting = yield* Effect.fork(next)
      yield* TestClock.adjust(100)
      yield* answered
      expect(Either.getOrThrow(yield* Fiber.join(waiting))).toBe("begun")
      yield* TestClock.adjust("1 minute")
      expect(Either.getOrThrow(yield* next)).toBe("begun")
    })
  )

  it.scoped("is sent back for as long as nothing has ended, where it had more than half of the slots", () =>
    Effect.gen(function* () {
      const { next } = yield* withMails(6)
      yield* TestClock.adjust("6 seconds")
      expectRest(Either.getOrThrow(Either.flip(yield* next)).retryIn, 5_000)
    })
  )

  it.scoped("is begun where the last failure is a minute old: nobody knows any more", () =>
    Effect.gen(function* () {
      const { failed, next } = yield* withMails(4)
      yield* failed
      yield* TestClock.adjust("59 seconds")
      expect(Either.isLeft(yield* next)).toBe(true)
      yield* TestClock.adjust("1 second")
      expect(Either.getOrThrow(yield* next)).toBe("begun")
    })
  )
})
