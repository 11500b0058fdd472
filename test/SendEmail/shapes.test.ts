/**
 * What real sites put on the queue, as huey wrote it, sent to a real mail server; the manifest says what must become of
 * each.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Huey from "../../src/Huey.ts"
import * as Mailbox from "../../src/Mailer/Mailbox.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { Mailer } from "../../src/Mailer.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as TestServer from "../services/SmtpServer.ts"

const directory = new URL("../fixtures/huey-messages/", import.meta.url)
const Shape = Schema.Struct({
  file: Schema.String,
  expect: Schema.Struct({
    delivered: Schema.Array(Schema.String),
    dead: Schema.optional(Schema.String),
    dead_recipients: Schema.optional(Schema.Number),
    configuration_fault: Schema.optional(Schema.String),
    mail_from: Schema.optional(Schema.String),
    from: Schema.optional(Schema.String),
    subject: Schema.optional(Schema.String),
    reply_to: Schema.optional(Schema.NullOr(Schema.Array(Schema.String))),
    mimetype: Schema.optional(Schema.String),
    host: Schema.optional(Schema.String),
    port: Schema.optional(Schema.Number)
  })
})
const shapes = Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Shape)))(
  readFileSync(new URL("shapes.3.2.1.json", directory), "utf8")
)

/** The real mailer, but every mail goes to the server on this port; which one the job named is remembered. */
const redirected = (port: number, named: Array<SmtpServer>) =>
  Layer.effect(
    Mailer,
    Effect.map(Mailer, ({ send }) => ({
      send: (server, mail, options) => {
        named.push(server)
        return send({ ...server, host: "127.0.0.1", port, tls: "Opportunistic" }, mail, options)
      }
    }))
  ).pipe(
    Layer.provide(Smtp.layerOptions({ ehlo: "worker.example.org" })),
    Layer.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
  )

describe("the manifest", () => {
  it("is whole", () => {
    expect(shapes.length).toBe(40)
  })
})

describe("a message of a real site", () => {
  it.scopedLive.each(shapes)("$file", ({ file, expect: expected }) =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      const named: Array<SmtpServer> = []
      const message = yield* Huey.make().decode(readFileSync(new URL(file, directory)))
      expect(SendEmail.job.names).toContain(message.name)
      const prepared = yield* SendEmail.job.prepare(message.call)
      const stop = StopSignal.never
      const result = yield* prepared
        .perform({ jobId: message.id, number: 1, firstTakenAt: 0, expiresAt: undefined, stop })
        .pipe(Effect.provide(redirected(server.port, named)), Effect.either)
      expect({ ...named[0] }).toMatchObject({
        ...(expected.host === undefined ? {} : { host: expected.host }),
        ...(expected.port === undefined ? {} : { port: expected.port })
      })
      const reason = Either.match(result, { onLeft: ({ reason }) => reason, onRight: () => undefined })
      if (expected.delivered.length === 0) {
        const fault = expected.configuration_fault
        expect(reason).toContain(fault ?? expected.dead)
        expect(Either.isLeft(result) && result.left.verdict).toBe(fault === undefined ? "Permanent" : "Configuration")
        expect(yield* server.connections).toBe(0)
        return
      }
      const [mailFrom, ...recipients] = yield* server.asked
      expect(recipients).toEqual(expected.delivered)
      // The tests' server knows no address without a domain: what was asked of it must do.
      if (expected.delivered[0] === "root") return
      const dead = expected.dead_recipients
      if (dead === undefined) expect(reason).toBe(undefined)
      else expect(reason).toContain(`${expected.delivered.length} accepted, 0 refused for now, ${dead} for good`)
      const [received] = yield* server.take(1)
      const headers = new Map(received?.headers)
      if (expected.mail_from !== undefined) expect(mailFrom).toBe(expected.mail_from)
      if (expected.from !== undefined) expect(headers.get("from")).toBe(expected.from)
      if (expected.subject !== undefined) expect(headers.get("subject") ?? "").toBe(expected.subject)
      if (expected.mimetype !== undefined) expect(headers.get("content-type")).toContain(`text/${expected.mimetype};`)
      if (file.startsWith("shape-body-bytes")) expect(received?.text).toBe("grüße\r\n")
      if (expected.reply_to !== undefined) {
        const addresses = Either.map(Mailbox.parseList(headers.get("reply-to") ?? ""), (entries) =>
          entries.map(({ source }) => source)
        )
        expect(addresses).toEqual(Either.right(expected.reply_to ?? []))
      }
    })
  )
})
