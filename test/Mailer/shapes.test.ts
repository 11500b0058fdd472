/**
 * What real sites put on the queue, sent to a real mail server; the fixture says what must become of each.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Body from "../../src/Mailer/Body.ts"
import * as Mailbox from "../../src/Mailer/Mailbox.ts"
import * as Recipients from "../../src/Mailer/Recipients.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { type Mail, Mailer } from "../../src/Mailer.ts"
import * as SmtpServer from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as TestServer from "../services/SmtpServer.ts"

const Bytes = Schema.Struct({ bytes_base64: Schema.StringFromBase64 })
const Shape = Schema.Struct({
  file: Schema.String,
  args: Schema.Array(Schema.Unknown),
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
  readFileSync(new URL("../fixtures/shapes.json", import.meta.url), "utf8")
)
const isText = Schema.is(Schema.NullishOr(Schema.String))

/** The arguments as a mail; what a string is not is left out, as the job's schema does. */
const toMail = (args: ReadonlyArray<unknown>): Mail => {
  const [recipient, subject, writtenBody, sender, replyTo, mimetype] = args
  const body = Schema.is(Schema.encodedSchema(Bytes))(writtenBody)
    ? Schema.decodeUnknownSync(Bytes)(writtenBody).bytes_base64
    : writtenBody
  const strings = (value: unknown) => Option.getOrThrow(Recipients.flatten(value))
  const text = (value: unknown) => (isText(value) ? (value ?? "") : expect.fail("not a string"))
  return {
    recipient: strings(recipient),
    subject: text(subject),
    body: text(body),
    sender: text(sender),
    replyTo: strings(replyTo),
    mimetype: Option.getOrThrow(Body.parseMimetype(text(mimetype)))
  }
}

describe("the fixture", () => {
  it("is whole", () => {
    expect(shapes.length).toBe(40)
  })
})

describe("a message of a real site", () => {
  it.scopedLive.each(shapes)("$file", ({ args: [config, ...args], expect: expected }) =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      const definition = SmtpServer.fromRow(config)
      if (Either.isLeft(definition)) {
        expect(definition.left.verdict).toBe(expected.configuration_fault === undefined ? "Permanent" : "Configuration")
        expect(definition.left.message).toContain(expected.configuration_fault ?? expected.dead)
        return
      }
      expect(definition.right).toMatchObject({
        host: expected.host ?? definition.right.host,
        port: expected.port ?? definition.right.port
      })
      const result = yield* Effect.flatMap(Mailer, (mailer) =>
        mailer.send({ ...definition.right, host: "127.0.0.1", port: server.port, tls: "Opportunistic" }, toMail(args), {
          id: "shape",
          date: 0,
          stop: StopSignal.never
        })
      ).pipe(
        Effect.provide(Smtp.layerOptions({ ehlo: "worker.example.org" })),
        Effect.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed })),
        Effect.either
      )
      if (Either.isLeft(result)) {
        expect(expected.delivered).toEqual([])
        expect(result.left.verdict).toBe("Permanent")
        expect(result.left.detail).toContain(expected.dead)
        expect(yield* server.connections).toBe(0)
        return
      }
      const [mailFrom, ...recipients] = yield* server.asked
      expect(recipients).toEqual(expected.delivered)
      // The tests' server knows no address without a domain: what was asked of it must do.
      if (expected.delivered[0] === "root") return
      expect(result.right.refused.length).toBe(expected.dead_recipients ?? 0)
      expect(result.right.accepted.length).toBe(expected.delivered.length)
      const [received] = yield* server.take(1)
      const headers = new Map(received?.headers)
      if (expected.mail_from !== undefined) expect(mailFrom).toBe(expected.mail_from)
      if (expected.from !== undefined) expect(headers.get("from")).toBe(expected.from)
      if (expected.subject !== undefined) expect(headers.get("subject") ?? "").toBe(expected.subject)
      if (expected.mimetype !== undefined) expect(headers.get("content-type")).toContain(`text/${expected.mimetype};`)
      if (expected.reply_to !== undefined) {
        const addresses = Either.map(Mailbox.parseList(headers.get("reply-to") ?? ""), (entries) =>
          entries.map(({ source }) => source)
        )
        expect(addresses).toEqual(Either.right(expected.reply_to ?? []))
      }
    })
  )
})
