import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import MailComposer from "nodemailer/lib/mail-composer"
import * as Message from "../../src/Mailer/Message.ts"
import * as Verbatim from "../../src/Mailer/Verbatim.ts"

const letter: Message.Letter = {
  from: Option.none(),
  to: [{ phrase: "", address: "j..d@example.org", domain: "example.org", smtpUtf8: false }],
  replyTo: [],
  subject: "",
  body: "x",
  mimetype: "plain"
}
const build = (id: string, change: Partial<Message.Letter> = {}) =>
  Effect.map(Message.build({ ...letter, ...change }, { id, date: 0, ehlo: "[127.0.0.1]" }), String)

describe("build", () => {
  it.effect("keeps an id that can stand in a Message-ID and hashes any other", () =>
    Effect.gen(function* () {
      expect(yield* build("a-1_B")).toContain("\r\nMessage-ID: <a-1_B@[127.0.0.1]>\r\n")
      const message = yield* build("a>\r\nBcc: evil@example.org")
      expect(/^Message-ID:\r\n <[0-9a-f]{64}@\[127\.0\.0\.1\]>\r$/m.test(message)).toBe(true)
      expect(message).not.toContain("evil")
    })
  )

  it.effect("quotes and encodes phrases, never the address", () =>
    Effect.gen(function* () {
      const phrase = 'Evil" <evil@example.org>, x:;'
      const from = Option.some({ phrase, address: "mfa@example.org", domain: "example.org", smtpUtf8: false })
      expect(yield* build("1", { from })).toContain('From: "Evil\\" <evil@example.org>, x:;" <mfa@example.org>\r\n')
    })
  )

  it.effect("never takes a body for a path, a URL or a message of its own", () =>
    Effect.gen(function* () {
      for (const body of ["/etc/hostname", "file:///etc/hostname", "http://127.0.0.1/", "data:text/plain,x"]) {
        const message = yield* build("1", { body })
        expect(message.slice(message.indexOf("\r\n\r\n") + 4)).toBe(`${body}\r\n`)
      }
    })
  )

  it("is written as it stands where nothing has to be encoded", () => {
    const parts = {
      ...letter,
      to: [{ phrase: "", address: "ada@example.org", domain: "example.org", smtpUtf8: false }],
      from: { phrase: "MFA", address: "mfa@example.org" },
      subject: "Your code",
      date: 0
    }
    const text = "Enter 493817.\r\nIt is valid for two minutes.\n"
    const headers = (message: string | undefined) => message?.split("\r\n\r\n")
    expect(headers(Verbatim.message({ ...parts, messageId: "<1@example.org>", text }))).toEqual([
      [
        "Precedence: bulk",
        "Auto-Submitted: auto-generated",
        "From: MFA <mfa@example.org>",
        "To: ada@example.org",
        "Subject: Your code",
        "Message-ID: <1@example.org>",
        "Date: Thu, 01 Jan 1970 00:00:00 +0000",
        "Content-Transfer-Encoding: 7bit",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8"
      ].join("\r\n"),
      "Enter 493817.\r\nIt is valid for two minutes.\r\n"
    ])
  })

  it.effect.prop(
    "has the same octets as nodemailer's own composition of a text with CRLF at its lines",
    [
      FastCheck.oneof(
        FastCheck.stringMatching(/^[ -~\n\u00e4\u4f60=.\t]{0,300}$/),
        FastCheck.stringMatching(/^[ -~\t]{0,80}\n?[ -~]{0,80}\n{0,3}$/),
        FastCheck.stringMatching(/^\w[ -~]{73,77}\w$/)
      ),
      FastCheck.oneof(
        FastCheck.string({ unit: "grapheme", maxLength: 40 }),
        FastCheck.stringMatching(/^[ -~]{0,80}$/),
        FastCheck.stringMatching(/^\w{1,12}( \w{1,12}){0,6}$/)
      ),
      FastCheck.option(FastCheck.stringMatching(/^["-~]{1,6}( [!-~]{1,6}){0,3}$/), { nil: undefined }),
      FastCheck.constantFrom("plain" as const, "html" as const),
      FastCheck.constantFrom("mfa", "m.f-a", "m..f", "m+f_a", "m'f", '"m f"', `m${"f".repeat(60)}`)
    ],
    ([body, phrase, short, mimetype, local]) =>
      Effect.gen(function* () {
        // One of its own: a phrase with a quote has the whole mail composed by nodemailer.
        const subject = short ?? phrase
        const sender = { phrase, address: `${local}@example.org`, domain: "example.org", smtpUtf8: false }
        const ours = yield* build("1", {
          body,
          mimetype,
          from: Option.some(sender),
          to: [{ phrase: "", address: `${local}@example.org`, domain: "example.org", smtpUtf8: false }],
          replyTo: [sender],
          subject
        })
        const mailbox = { name: phrase, address: sender.address }
        const theirs = new MailComposer({
          from: mailbox,
          to: [{ name: "", address: sender.address }],
          replyTo: [mailbox],
          subject,
          messageId: "<1@example.org>",
          date: new Date(0),
          headers: { Precedence: "bulk", "Auto-Submitted": "auto-generated" },
          alternatives: [
            {
              contentType: `text/${mimetype}; charset=utf-8`,
              content: body.replaceAll("\n", "\r\n") + (body === "" || body.endsWith("\n") ? "" : "\r\n")
            }
          ],
          newline: "windows"
        })
        expect(ours).toBe(String(yield* Effect.promise(() => theirs.compile().build())))
      }),
    { fastCheck: { numRuns: 400 } }
  )
})
