/**
 * An attempt that is told to stop, wherever its mail is: before the final dot nothing is delivered, after it the reply is
 * waited for.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { Mailer } from "../../src/Mailer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as Scripted from "../services/ScriptedSmtp.ts"

const layer = Smtp.layerOptions({ ehlo: "client.example.org" }).pipe(
  Layer.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
)

/** More than the buffers between a client and a server that does not read. */
const largeBody = `${"x".repeat(76)}\r\n`.repeat(120_000)

const send = (server: Scripted.ScriptedSmtp, stop: StopSignal.StopSignal, recipient: string, body: string) =>
  Effect.flatMap(Mailer, (mailer) =>
    mailer.send(server.definition, { recipient, subject: "Your code", body }, { id: "id", date: 0, stop })
  )

const eventually = (holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error("never came true")))).pipe(
    Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds")))
  )

/** QUIT is behind the mail, and a stop there comes too late for anything. */
const before = Scripted.stages.filter((stage) => stage !== "dot" && stage !== "QUIT")

describe.concurrent("a stop signal", () => {
  it.scopedLive.each(before)("at %s ends the mail at once, and it is not delivered", (stage) =>
    Effect.gen(function* () {
      const server = yield* Scripted.make({
        stage,
        fault: "hang",
        recipient: (address) => (address.startsWith("gone") ? "550 5.1.1 no such mailbox" : undefined)
      })
      yield* Effect.gen(function* () {
        if (stage === "RSET") yield* send(server, StopSignal.never, "gone@example.org", "")
        const stop = StopSignal.unsafeMake()
        const body = stage === "body" ? largeBody : "Code"
        const sending = yield* Effect.fork(Effect.flip(send(server, stop, "ada@example.org", body)))
        yield* server.reached
        yield* StopSignal.stop(stop, "Drain")
        // Long before the server's time for a reply is over.
        const error = yield* Effect.timeout(Fiber.join(sending), "2 seconds")
        expect([error.reason, error.verdict]).toEqual(["Stopped", "Transient"])
        // Even where the server goes on, it gets no dot.
        yield* server.release
      }).pipe(Effect.provide(layer))
      yield* eventually(() => server.open() === 0)
      expect(server.mails()).toEqual([])
    })
  )

  it.scopedLive("after the final dot changes nothing: the reply is waited for, and the mail is delivered", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make({ stage: "dot", fault: "hang" })
      const stop = StopSignal.unsafeMake()
      const sending = yield* Effect.fork(send(server, stop, "ada@example.org", "Code"))
      yield* server.reached
      yield* StopSignal.stop(stop, "Drain")
      yield* server.release
      expect(yield* Fiber.join(sending)).toEqual({ accepted: ["ada@example.org"], refused: [] })
      expect(server.mails()).toHaveLength(1)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("after the final dot and a connection that ends leaves the mail unknown, not stopped", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make({ stage: "dot", fault: "FIN" })
      const stop = StopSignal.unsafeMake()
      const sending = yield* Effect.fork(Effect.flip(send(server, stop, "ada@example.org", "Code")))
      yield* server.reached
      yield* StopSignal.stop(stop, "Deadline")
      const error = yield* Fiber.join(sending)
      expect([error.reason, error.verdict]).toEqual(["ConnectionLost", "Unknown"])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("at QUIT comes when the mail is delivered", () =>
    Effect.gen(function* () {
      const server = yield* Scripted.make({ stage: "QUIT", fault: "hang" })
      const stop = StopSignal.unsafeMake()
      const delivery = yield* Effect.provide(send(server, stop, "ada@example.org", "Code"), layer)
      yield* server.reached
      yield* StopSignal.stop(stop, "Drain")
      expect(delivery.refused).toEqual([])
      expect(server.mails()).toHaveLength(1)
      // A server that does not let us go holds nobody up.
      yield* eventually(() => server.open() === 0)
    })
  )
})
