/**
 * Asks a mail server how it is: connects, does TLS and logs in as a mail would, and sends nothing. What the workers know of
 * it is looked at and left as it is.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EncKey } from "../EdumfaConfig/EncKey.ts"
import { MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import { BreakerStore } from "./Breaker/BreakerStore.ts"
import * as Circuit from "./Breaker/Circuit.ts"
import { connectBreaker, loginBreaker } from "./Breaker.ts"
import { credentialsOf, fingerprint } from "./credentials.ts"
import * as Destination from "./Destination.ts"
import * as EhloName from "./EhloName.ts"
import { type Credentials, permit } from "./login.ts"
import { optionsOf } from "./ServerOptions.ts"
import type * as Smtp from "./Smtp.ts"

/** What of a mailer's options matters before a mail. */
export type Options = Pick<Smtp.Options, "ehlo" | "servers" | "others">

/** A mail server that would take a mail now. */
export interface Verified {
  readonly secure: boolean
  readonly loggedIn: boolean
}

export class Probe extends Context.Tag("edumfa-queue/Mailer/Probe")<
  Probe,
  {
    /**
     * As a mail for this server would. Credentials that it refused once are not shown to it again. Fails with `BreakerOpen`,
     * and asks nothing, where the workers have given it up for now, unless `regardless`.
     */
    readonly verify: (server: SmtpServer, regardless: boolean) => Effect.Effect<Verified, MailerError>
    /** Without a login, and with TLS where it is offered. */
    readonly greet: (server: Omit<SmtpServer, "username" | "password">) => Effect.Effect<Verified, MailerError>
  }
>() {}

const seconds = (millis: number) => `${Math.ceil(millis / 1_000)} s`

const make = (options: Options) =>
  Effect.gen(function* () {
    const encKey = yield* EncKey
    const breakers = yield* BreakerStore
    const refused = new Map<string, MailerError>()
    const ehloName = yield* EhloName.make(options.ehlo)

    /** A store that does not answer knows nothing. */
    const mustBeClosed = ({ label, name }: ReturnType<typeof connectBreaker>) =>
      Effect.matchEffect(breakers.exchange(name), {
        onFailure: () => Effect.void,
        onSuccess: ({ now, stored }) => {
          const circuit = Circuit.decode(stored)
          if (!Circuit.isOpen(circuit)) return Effect.void
          const retryIn = circuit._tag === "Open" ? Math.max(0, circuit.until - now) : 0
          const detail = `${label} does not work for the workers, which try it again in ${seconds(retryIn)}`
          return new MailerError({ reason: "BreakerOpen", verdict: "Postponed", detail, retryIn })
        }
      })

    const ask = (server: SmtpServer, credentials: Credentials | undefined) =>
      Effect.flatMap(ehloName(), (ehlo) =>
        Effect.scoped(Destination.open({ server, options: optionsOf(server, options), credentials, ehlo }))
      )

    return Probe.of({
      verify: Effect.fn("Probe.verify")(function* (server, regardless) {
        const forbidden = permit(server, optionsOf(server, options))
        if (forbidden !== undefined) return yield* forbidden
        const credentials = yield* credentialsOf(server, encKey)
        if (!regardless) {
          yield* mustBeClosed(connectBreaker(server))
          if (credentials !== undefined) yield* Effect.flatMap(loginBreaker(server, credentials), mustBeClosed)
        }
        const id = credentials === undefined ? "" : fingerprint(server, credentials)
        const before = refused.get(id)
        if (before !== undefined) return yield* before
        const { secure } = yield* Effect.tapError(ask(server, credentials), (error) =>
          Effect.sync(() => {
            if (credentials !== undefined && error.reason === "Authentication") refused.set(id, error)
          })
        )
        return { secure, loggedIn: credentials !== undefined }
      }),
      greet: Effect.fn("Probe.greet")(function* (server) {
        const { extensions, secure } = yield* ask(server, undefined)
        if (secure || !extensions.has("STARTTLS")) return { secure, loggedIn: false }
        const again = yield* ask({ ...server, tls: "StartTls" }, undefined)
        return { secure: again.secure, loggedIn: false }
      })
    })
  })

/** Opens no connection before it is asked. */
export const layer = (options: Options): Layer.Layer<Probe, never, EncKey | BreakerStore> =>
  Layer.effect(Probe, make(options))
