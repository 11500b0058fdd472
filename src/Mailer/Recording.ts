/**
 * A mailer that sends nothing and remembers what it was given: for the tests of an MFA server.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { type Mail, Mailer } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"

/** A mail and where it would have gone. */
export interface Recorded {
  readonly server: SmtpServer
  readonly mail: Mail
  /** The id its Message-ID would have been made from: the same for all attempts at one job. */
  readonly id: string
}

/** What was sent so far. */
export class Outbox extends Context.Tag("edumfa-queue/Mailer/Outbox")<
  Outbox,
  {
    readonly all: Effect.Effect<ReadonlyArray<Recorded>>
    /** Waits for the next mail that no other `next` has answered with. */
    readonly next: Effect.Effect<Recorded>
  }
>() {}

/** Accepts every recipient of every mail. */
export const layer: Layer.Layer<Mailer | Outbox> = Layer.effectContext(
  Effect.gen(function* () {
    const all: Array<Recorded> = []
    const fresh = yield* Queue.unbounded<Recorded>()
    return Context.make(Outbox, { all: Effect.sync(() => [...all]), next: Queue.take(fresh) }).pipe(
      Context.add(Mailer, {
        send: Effect.fnUntraced(function* (server, mail, { id }) {
          const recorded = { server, mail, id }
          all.push(recorded)
          yield* Queue.offer(fresh, recorded)
          return { accepted: typeof mail.recipient === "string" ? [mail.recipient] : mail.recipient, refused: [] }
        })
      })
    )
  })
)
