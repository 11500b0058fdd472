import { fileURLToPath } from "node:url"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EdumfaConfig from "../../src/EdumfaConfig.ts"
import * as ConfiguredMailer from "../../src/Mailer/Configured.ts"
import { Mailer } from "../../src/Mailer.ts"
import type { SmtpServer as Definition } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))

const mailer = (values: Parameters<typeof EdumfaConfig.layerValues>[0]) =>
  ConfiguredMailer.layer.pipe(Layer.provide([EdumfaConfig.layerValues(values), NodeFileSystem.layer]))

const send = (server: Definition) =>
  Effect.flatMap(Mailer, ({ send }) =>
    send(
      server,
      { recipient: "ada@example.org", subject: "s", body: "b" },
      { id: "id", date: 0, stop: StopSignal.never }
    )
  )

describe("Mailer.Configured", () => {
  it.scopedLive("follows the options of a mail server and the name in EHLO", () =>
    Effect.gen(function* () {
      const server = yield* SmtpServer.make({ tls: "StartTls" })
      const values = (options: Record<string, boolean | string>) => ({
        EDUMFA_QUEUE_WORKER_EHLO: "mfa.example.org",
        EDUMFA_QUEUE_WORKER_SMTP: { [`127.0.0.1:${server.port}`]: options }
      })
      // Loopback is not verified unless it is asked for; the certificate is the server's own.
      const refused = yield* Effect.flip(Effect.provide(send(server.definition), mailer(values({ verify: true }))))
      expect(refused).toMatchObject({ reason: "Tls", verdict: "Configuration" })
      expect(refused.message).toContain(`EDUMFA_QUEUE_WORKER_SMTP = {'127.0.0.1:${server.port}': {'ca': '/path.pem'}}`)
      yield* Effect.provide(send(server.definition), mailer(values({ verify: false })))
      const ca = { verify: true, ca: fixture("tls/cert.pem") }
      yield* Effect.provide(send(server.definition), mailer(values(ca)))
      const mails = yield* server.take(2)
      expect(mails.map(({ ehlo, secure }) => ({ ehlo, secure }))).toEqual([
        { ehlo: "mfa.example.org", secure: true },
        { ehlo: "mfa.example.org", secure: true }
      ])
    })
  )

  it.scopedLive("gives a password to listed servers alone where the table is closed", () =>
    Effect.gen(function* () {
      const server = yield* SmtpServer.make({ tls: "StartTls", auth: "Required" })
      const open = yield* SmtpServer.make()
      const listed = { "mail.example.org:587": {}, only: true }
      const closed = mailer({ EDUMFA_QUEUE_WORKER_SMTP: listed })
      const refused = yield* Effect.flip(Effect.provide(send(server.authenticated), closed))
      expect(refused).toMatchObject({ reason: "Authentication", verdict: "Configuration" })
      const entry = `'127.0.0.1:${server.port}': {}`
      expect(refused.detail).toContain(`add ${entry} to EDUMFA_QUEUE_WORKER_SMTP in the configuration file`)
      expect(yield* server.connections).toBe(0)
      // Where no password goes, nothing is kept back.
      yield* Effect.provide(send(open.definition), closed)
      for (const values of [{ ...listed, [`127.0.0.1:${server.port}`]: {} }, { ...listed, only: false }, {}]) {
        yield* Effect.provide(send(server.authenticated), mailer({ EDUMFA_QUEUE_WORKER_SMTP: values }))
      }
      expect((yield* server.take(3)).map(({ mechanism }) => mechanism)).toEqual(["PLAIN", "PLAIN", "PLAIN"])
    })
  )

  it.effect("refuses certificates that it cannot read, and options of the wrong type", () =>
    Effect.gen(function* () {
      const error = (options: Record<string, number | string>) =>
        Effect.flip(Effect.provide(Mailer, mailer({ EDUMFA_QUEUE_WORKER_SMTP: { "mail.example.org:587": options } })))
      expect((yield* error({ ca: "/missing.pem" })).message).toContain(
        "EDUMFA_QUEUE_WORKER_SMTP: the certificates of mail.example.org:587 cannot be read from /missing.pem"
      )
      expect((yield* error({ verfy: 0 })).message).toContain(
        "EDUMFA_QUEUE_WORKER_SMTP: the options of a mail server are verify, ca, allow_plaintext_auth"
      )
      const wrong = (table: Record<string, boolean | string | Record<string, boolean>>) =>
        Effect.map(Effect.flip(Effect.provide(Mailer, mailer({ EDUMFA_QUEUE_WORKER_SMTP: table }))), String)
      for (const only of ["perhaps", {}, { verify: false }]) {
        expect(yield* wrong({ only })).toMatch(
          /EDUMFA_QUEUE_WORKER_SMTP\['only'\]: Expected a (?:boolean|single) value/
        )
      }
      expect(yield* wrong({ "mail.example.org:587": true })).toContain("the options of a mail server are a dict")
      expect((yield* error({ verify: "perhaps" })).message).toContain("EDUMFA_QUEUE_WORKER_SMTP")
    })
  )
})
