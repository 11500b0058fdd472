/**
 * A body that comes as MIME bytes: it arrives as it is, and nothing of it becomes a header of the mail or a recipient.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import fc from "fast-check"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Mime from "../../src/Mailer/Mime.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { type Mail, Mailer } from "../../src/Mailer.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as RawServer from "./RawServer.ts"

const definition = ({ port }: RawServer.RawServer): SmtpServer => ({
  identifier: "test",
  host: "127.0.0.1",
  port,
  tls: "Opportunistic",
  sender: "mfa@example.org",
  timeout: 5_000,
  enqueueJob: true
})

const send = (
  server: RawServer.RawServer,
  mime: string | Uint8Array,
  change: Partial<Mail> = {},
  options: Smtp.Options = {}
) =>
  Effect.flatMap(Mailer, (mailer) =>
    mailer.send(
      definition(server),
      {
        recipient: "ada@example.org",
        subject: "Your token",
        body: { mime: Buffer.from(mime) },
        replyTo: "help@example.org",
        ...change
      },
      { id: "1", date: 0, stop: StopSignal.never }
    )
  ).pipe(
    Effect.provide(Smtp.layerOptions({ ehlo: "worker.example.org", ...options })),
    Effect.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
  )

const code = "736251"
const html = Buffer.from(`<p>Grüße, Code ${code} <img src="cid:token_image"></p>`)

/** As Python writes the notification with a QR image, the headers that eduMFA sets on it included. */
const related = [
  'Content-Type: multipart/related; boundary="===============0123456789=="',
  "MIME-Version: 1.0",
  "Subject: of the tree",
  "From: evil@evil.example",
  "To: evil@evil.example",
  "Date: Thu, 01 Jan 2026 00:00:00 +0000",
  "",
  "--===============0123456789==",
  'Content-Type: text/html; charset="utf-8"',
  "MIME-Version: 1.0",
  "Content-Transfer-Encoding: base64",
  "",
  ...(html.toString("base64").match(/.{1,76}/g) ?? []),
  "",
  "--===============0123456789==",
  "Content-Type: image/png",
  "MIME-Version: 1.0",
  "Content-Transfer-Encoding: base64",
  "Content-ID: <token_image>",
  'Content-Disposition: inline; filename="token.png"',
  "",
  ...(Buffer.from(Array.from({ length: 300 }, (_, index) => index % 256))
    .toString("base64")
    .match(/.{1,76}/g) ?? []),
  "",
  "--===============0123456789==--",
  ""
].join("\n")

/** The headers of every mail of these tests, but those about the body. */
const own = [
  "Precedence: bulk",
  "Auto-Submitted: auto-generated",
  "From: mfa@example.org",
  "To: ada@example.org",
  "Reply-To: help@example.org",
  "Subject: Your token",
  "Message-ID: <1@example.org>",
  "Date: Thu, 01 Jan 1970 00:00:00 +0000"
]

const headersOf = (data: string) => data.slice(0, data.indexOf("\r\n\r\n")).split("\r\n")

describe("a notification with a QR image", () => {
  it.scopedLive("arrives with our headers and its own parts, octet for octet", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make()
      yield* send(server, related)
      yield* send(server, related)
      const [mail, again] = server.mails
      expect(mail?.commands).toEqual([
        expect.stringMatching(/^MAIL FROM:<mfa@example\.org>/),
        "RCPT TO:<ada@example.org>",
        "DATA"
      ])
      const data = mail?.data ?? ""
      expect(again?.data).toBe(data)
      expect(headersOf(data)).toEqual([
        ...own,
        'Content-Type: multipart/related; boundary="===============0123456789=="',
        "MIME-Version: 1.0"
      ])
      const content = related.slice(related.indexOf("\n\n") + 2)
      expect(data.slice(data.indexOf("\r\n\r\n") + 4)).toBe(content.replaceAll("\n", "\r\n"))
    })
  )

  it.scopedLive("reaches a recipient outside ASCII", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: ["SMTPUTF8", "8BITMIME"] })
      yield* send(server, related, { recipient: "jürgen@example.org" })
      expect(Buffer.from(server.mails[0]?.data ?? "", "latin1").toString()).toContain("\r\nTo: jürgen@example.org\r\n")
    })
  )

  it.scopedLive("is not repeated by a refusal, though its text is encoded", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ answerDot: () => `554 5.7.1 spam: ${code} ${html.toString("base64")}` })
      const error = yield* Effect.flip(send(server, related))
      expect(error.detail).toBe("after the message: 554 5.7.1 spam: [removed] [removed]")
    })
  )
})

describe("of the header block", () => {
  it.scopedLive("only what is about the body is kept, folded lines and all", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make()
      yield* send(
        server,
        [
          "Bcc: evil@evil.example",
          "Content-type: text/plain;",
          "\tcharset=us-ascii",
          "X-Evil: a",
          " Content-Evil: folded",
          "Content-Transfer-Encoding: 7bit",
          "",
          "Bcc: evil@evil.example",
          "",
          ".",
          "..x"
        ].join("\r\n")
      )
      const data = server.mails[0]?.data ?? ""
      expect(headersOf(data)).toEqual([
        ...own,
        "Content-type: text/plain;",
        "\tcharset=us-ascii",
        "Content-Transfer-Encoding: 7bit",
        "MIME-Version: 1.0"
      ])
      expect(data.slice(data.indexOf("\r\n\r\n"))).toBe("\r\n\r\nBcc: evil@evil.example\r\n\r\n.\r\n..x\r\n")
    })
  )

  it.each([
    ["a line that is no header", "evil\n\nx", "header, line 1"],
    ["a name with a space", "Content-Type : text/plain\n\nx", "header, line 1"],
    ["a first line that is folded", " Content-Type: text/plain\n\nx", "header, line 1"],
    ["a folded line of white space alone", "Content-Type: text/plain;\n \n charset=utf-8\n\nx", "header, line 2"],
    ["an envelope line of a mailbox file", "From evil Thu Jan  1\nContent-Type: text/plain\n\nx", "header, line 1"],
    ["a control", "Content-Type: text/\x1bplain\n\nx", "header, line 1"],
    ["a form feed", "Content-Type: text/plain\fBcc: x\n\nx", "header, line 1"],
    ["text alone", "Hello", "header, line 1"],
    ["two types", "Content-Type: text/plain\ncontent-type: text/html\n\nx", "header content-type twice"],
    ["a long line", `Content-Type: text/plain\n\n${"x".repeat(999)}`, "line too long"],
    ["a long header", `Content-Type: text/plain; x=${"x".repeat(999)}\n\nx`, "line too long"],
    ["a NUL", "Content-Type: text/plain\n\nx\0", "NUL"],
    ["octets beyond ASCII", "Content-Type: text/plain; charset=utf-8\n\nä", "not 7-bit"],
    ["octets beyond ASCII in the header", "Content-Description: ä\n\nx", "not 7-bit"]
  ] as const)("%s is refused", (_, text, fault) => {
    expect(Mime.parse(Buffer.from(text))).toEqual(Either.left(fault))
  })

  it.each([
    ["nothing is needed", "\nx", { headers: "MIME-Version: 1.0\r\n", content: "x\r\n" }],
    ["all may be there", "Content-Type: a/b", { headers: "Content-Type: a/b\r\nMIME-Version: 1.0\r\n", content: "" }],
    [
      "a bare CR is a line end",
      "Content-Type: a/b\rTo: x\r\rx",
      { headers: "Content-Type: a/b\r\nMIME-Version: 1.0\r\n", content: "x\r\n" }
    ],
    [
      "a line may have 998 octets",
      `\n${"x".repeat(998)}`,
      { headers: "MIME-Version: 1.0\r\n", content: `${"x".repeat(998)}\r\n` }
    ]
  ] as const)("%s", (_, text, mime) => {
    expect(Mime.parse(Buffer.from(text))).toEqual(Either.right(mime))
  })

  it.scopedLive("a refusal ends the mail for good, before any connection", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make()
      const error = yield* Effect.flip(send(server, "evil\n\nx"))
      expect([error.reason, error.verdict, error.detail]).toEqual([
        "InvalidMail",
        "Permanent",
        "body: MIME: header, line 1"
      ])
      const ten = yield* Effect.flip(send(server, "\n0123456789", {}, { maxBody: 10 }))
      expect(ten.detail).toBe("body: more than 10 octets")
      const large = yield* Effect.flip(send(server, new Uint8Array(10 * 1024 * 1024 + 1)))
      expect(large.detail).toBe("body: more than 10485760 octets")
      expect(server.clear).toEqual([])
    })
  )
})

describe("line ends", () => {
  it("become CRLF as the whole has them, whatever stands beside them, and a fault is the first of its kind", () => {
    const piece = fc.constantFrom("\r", "\n", "\r\n", "a", ".", "x".repeat(900), "\0", "\x80")
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = `X: y\n\n${pieces.join("")}`
        const lines = text.replaceAll(/\r\n|\r|\n/g, "\r\n")
        const isLong = lines.split("\r\n").some((line) => line.length > 998)
        const fault = text.includes("\0") ? "NUL" : text.includes("\x80") ? "not 7-bit" : isLong ? "line too long" : ""
        const content = lines.slice("X: y\r\n\r\n".length)
        const wanted =
          fault === ""
            ? Either.right({
                headers: "MIME-Version: 1.0\r\n",
                content: content === "" || content.endsWith("\r\n") ? content : `${content}\r\n`
              })
            : Either.left(fault)
        expect(Mime.parse(Buffer.from(text, "latin1"))).toEqual(wanted)
      }),
      { numRuns: 1_000 }
    )
  })
})

describe("what a body says", () => {
  const saying = (content: string) => Mime.textOf({ headers: "", content })

  it("is found in Base64 of any length, and in quoted-printable", () => {
    const code = "Your code is 493817 für Ada. "
    const lines = Buffer.from(code.repeat(180_000)).toString("base64").replaceAll(/.{76}/g, "$&\r\n")
    const text = saying(`--b\r\n\r\n${lines}\r\n--b--\r\n`)
    expect(text.split("\n").at(-1)?.startsWith(code)).toBe(true)
    expect(text).toContain("für Ada. Your code")
    expect(saying("YWJjZA==\r\n\r\nZWZnaA==\r\n").split("\n").slice(-2)).toEqual(["abcd", "efgh"])
    expect(saying("Gr=C3=BC=C3=\r\n=9Fe =3d 4938=\r\n17 =zz =\r\n")).toContain("Grüße = 493817 =zz ")
  })
})

describe("random bytes", () => {
  it("are refused, or keep to lines of ASCII with headers about the body alone", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "Content-Type: text/plain",
        "MIME-Version: 1.0",
        "Bcc: evil@evil.example",
        "\r",
        "\n",
        "\r\n",
        "\n\n"
      ),
      fc.constantFrom(" ", "\t", ":", "\0", "\v", "\f", "\x85", "\xa0", "Content-", "To", ".", "content-x:y"),
      fc.string({ maxLength: 5 })
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const mime = Mime.parse(Buffer.from(pieces.join(""), "latin1"))
        if (Either.isLeft(mime)) return
        const { content, headers } = mime.right
        expect(headers).toMatch(/^(?:(?:Content-[a-z-]+|MIME-Version):[\t -~]*\r\n(?:[\t ]+[!-~][\t -~]*\r\n)*)+$/i)
        expect(content.replaceAll("\r\n", "")).not.toMatch(/[\r\n\0\u0080-\uffff]/)
        expect(content === "" || content.endsWith("\r\n")).toBe(true)
      }),
      { numRuns: 20_000 }
    )
  })
})
