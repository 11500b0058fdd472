/**
 * Whatever a job holds, the mail server sees the intended envelope and headers and no others. Every case goes over the
 * wire, through the whole mailer. `FUZZ_RUNS` and `FUZZ_SEED` set how many cases, and which.
 *
 * What is expected is known from how a case was put together, not from the code under test: addresses at `good.example`
 * are planted as mailboxes, addresses at `evil.example` only where they are none.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import fc from "fast-check"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Body from "../../src/Mailer/Body.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { type Delivery, Mailer, type MailerError } from "../../src/Mailer.ts"
import * as SmtpServer from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as RawServer from "./RawServer.ts"

const { FUZZ_RUNS, FUZZ_SEED } = process.env
const cases = Number(FUZZ_RUNS ?? 5_000)
const seed = Number(FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** Mails sent at the same time. */
const together = 10

const evil = "evil@evil.example"

/** What no address may hold, alone or with what makes it an attack. */
const hostile = fc.constantFrom(
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\r\n.\r\n",
  "\r\n\r\n",
  "\v",
  "\f",
  "\t",
  "\x1b[31m",
  "\x7f",
  "\u0085",
  "\u2028",
  "\u2029",
  "\u202e",
  "\u2066",
  "\u200f",
  "\u061c",
  "\ud800",
  "\udfff"
)

/** What follows it. */
const attack = fc.constantFrom(
  `Bcc: ${evil}`,
  `RCPT TO:<${evil}>`,
  `> \r\nRCPT TO:<${evil}`,
  `MAIL FROM:<${evil}>`,
  `X-Evil: ${evil}`,
  evil,
  `<${evil}>`,
  `, ${evil}`,
  "x"
)

const address = fc
  .stringMatching(/^[a-z][a-z0-9+_-]{0,8}(\.[a-z0-9]{1,4}){0,2}$/)
  .map((local) => `${local}@good.example`)

/** A mailbox, and the address it is. */
interface Planted {
  readonly text: string
  readonly addresses: ReadonlyArray<string>
  /** The mail may go on without it, or not at all. */
  readonly bad: boolean
}

const plant = (text: string, ...addresses: ReadonlyArray<string>): Planted => ({ text, addresses, bad: false })
const bad = (text: string): Planted => ({ text, addresses: [], bad: true })

/** Texts that quote an address which is none of the mailbox's own. */
const decoy = fc.constantFrom(
  `${evil}`,
  `<${evil}>`,
  `${evil},`,
  `x; ${evil};`,
  `team: ${evil};`,
  "Ada",
  "Łukasz ✓",
  ""
)

const mailbox: fc.Arbitrary<Planted> = fc.oneof(
  address.map((it) => plant(it, it)),
  address.map((it) => plant(` <${it}> `, it)),
  address.map((it) => plant(`${it}\r\n`, it)),
  fc.tuple(address, decoy).map(([it, text]) => plant(`"${text}" <${it}>`, it)),
  fc.tuple(address, decoy).map(([it, text]) => plant(`"a \\" ${text} \\\\" <${it}>`, it)),
  fc.tuple(address, decoy).map(([it, text]) => plant(`(${text}) ${it}`, it)),
  fc.tuple(address, decoy).map(([it, text]) => plant(`${it} (a (${text}) \\) )`, it)),
  fc.tuple(address, decoy).map(([it, text]) => plant(`Ada (${text}) <${it}>`, it)),
  address.map((it) => plant(`=?utf-8?Q?a=0D=0ABcc=3A_${evil}?= <${it}>`, it)),
  fc
    .stringMatching(/^[a-z !#$%&'*+,./:;()-]{1,9}$/)
    .map((local) => plant(`"${local}"@good.example`, `"${local}"@good.example`)),
  address.map((it) => plant(it.replace("good", "gööd"), it.replace("good", "xn--gd-fkaa")))
)

const noMailbox: fc.Arbitrary<Planted> = fc.oneof(
  fc.tuple(address, hostile, attack).map(([it, control, rest]) => bad(`${it}${control}${rest}`)),
  fc.tuple(address, hostile, attack).map(([it, control, rest]) => bad(`"x${control}${rest}" <${it}>`)),
  fc.tuple(address, hostile, attack).map(([it, control, rest]) => bad(`${it} (${control}${rest})`)),
  fc.tuple(address, hostile).map(([it, control]) => bad(`x${control}${it}`)),
  fc.tuple(address, hostile).map(([it, control]) => bad(`${it.replace("@", `${control}@`)}`)),
  decoy.map((text) => bad(`team: ${text}, ${evil};`)),
  fc.constantFrom(
    ...[`"${evil}"@good.example`, `"x> <${evil}"@good.example`, `"x\\" <${evil}>"@good.example`].map(bad),
    ...[`${evil}@good.example`, `x@${evil}`, `"x"@${evil}`, `<x@good.example> <${evil}>`].map(bad),
    ...[`<@evil.example:x@good.example>`, `x@good.example> <${evil}>`, `"x@good.example <${evil}>`].map(bad),
    ...[`x@good.example (${evil}`, `<<${evil}>>`, `<${evil}`, `${evil}>`, `x@[${evil}]`, `evil＠evil.example`].map(bad),
    ...[`x@good.example＠evil.example`, `evil @evil.example`, `x@good.example SIZE=1`, `<x@good.example ${evil}>`].map(
      bad
    )
  )
)

/** One string of a list: a mailbox, several, or something that is refused. */
const entry = fc.oneof(
  { weight: 3, arbitrary: mailbox },
  { weight: 2, arbitrary: noMailbox },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(mailbox, { minLength: 2, maxLength: 4 }), fc.constantFrom(",", ";", ", ", " ;; "))
      .filter(([list]) => list.every(({ text }) => !text.includes("\r")))
      .map(([list, separator]) =>
        plant(list.map(({ text }) => text).join(separator), ...list.flatMap(({ addresses }) => addresses))
      )
  }
)

/** Words of subjects and bodies; no line break in them. */
const word = fc.oneof(
  fc.constantFrom(
    "Code",
    "736251",
    "Grüße",
    "✓",
    "\u202e",
    "\ud800",
    "\udfff",
    "\0",
    "\x1b",
    "\t",
    " ",
    ":",
    ".",
    "=",
    "\u200f"
  ),
  fc.constantFrom(`Bcc: ${evil}`, "=?utf-8?Q?=0D=0ABcc:_x?=", "a".repeat(1_200), "ü".repeat(90), "-".repeat(80)),
  fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replaceAll(/[\n\r\v\f\u0085\u2028\u2029]/g, "")),
  fc.string({ maxLength: 12 })
)
const line = fc.array(word, { maxLength: 5 }).map((words) => words.join(" "))

/** `forged`: a line break is followed by what looks like a header. */
const subject = fc.oneof(
  { weight: 4, arbitrary: line.map((text) => ({ text, forged: false })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("\r\n", "\n", "\r", "\u2028", "\u0085", "\v"),
        fc.constantFrom(`Bcc: ${evil}`, "X-Evil:", "To:x")
      )
      .map(([end, header]) => ({ text: `Code${end}${header}`, forged: true }))
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("Code\r\n", "Your\ncode", "Code\r\n\r\n", "\n", "Code\n text")
      .map((text) => ({ text, forged: false }))
  }
)

const body = fc
  .array(fc.oneof(line, fc.constantFrom(".", "..", "", "\r\n.\r\nMAIL FROM:<x>", `.\r\nRCPT TO:<${evil}>`, "QUIT")), {
    maxLength: 6
  })
  .chain((lines) => fc.constantFrom("\r\n", "\n", "\r").map((end) => lines.join(end)))

const mimetype = fc.constantFrom(
  undefined,
  null,
  "",
  "plain",
  "html",
  " HTML\n",
  "html\r\nBcc: x",
  "x",
  "plain; x=y",
  "html\0"
)

interface Case {
  readonly recipients: ReadonlyArray<Planted>
  readonly sender: Planted | undefined
  readonly replyTo: ReadonlyArray<Planted>
  readonly subject: { readonly text: string; readonly forged: boolean }
  readonly body: string
  readonly mimetype: string | null | undefined
}

const mailCase: fc.Arbitrary<Case> = fc.record({
  recipients: fc.array(entry, { minLength: 1, maxLength: 4 }),
  sender: fc.option(fc.oneof({ weight: 5, arbitrary: mailbox }, { weight: 1, arbitrary: noMailbox }), {
    nil: undefined
  }),
  replyTo: fc.array(entry, { maxLength: 2 }),
  subject,
  body,
  mimetype
})

const ehlo = "worker.example.org"
const configured = "mfa@good.example"

/** In this order; those with a question mark may be missing. */
const headers = [
  "Precedence",
  "Auto-Submitted",
  "From",
  "To",
  "Reply-To?",
  "Subject?",
  "Message-ID",
  "Date",
  "Content-Transfer-Encoding?",
  "MIME-Version",
  "Content-Type"
]

const octets = (text: string) => Buffer.from(text, "latin1").toString()

const decodeQuoted = (text: string) =>
  octets(
    text
      .replaceAll("=\r\n", "")
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  )

const decodeWords = (text: string) =>
  text
    .replaceAll(/\?=\s+=\?/g, "?==?")
    .replaceAll(/(?:=\?utf-8\?[QB]\?[^?]*\?=)+/gi, (words) =>
      Buffer.concat(
        [...words.matchAll(/=\?utf-8\?([QB])\?([^?]*)\?=/gi)].map(([, encoding, encoded = ""]) =>
          encoding?.toUpperCase() === "B"
            ? Buffer.from(encoded, "base64")
            : Buffer.from(decodeQuoted(encoded.replaceAll("_", " ")))
        )
      ).toString()
    )

/** Addresses of a header, separated by commas outside quoted parts; a quoted local part holds no angle bracket. */
const addressesOf = (value: string) =>
  (value.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? []).map((it) => it.trim().replace(/^.*<([^<>]*)>$/, "$1"))

const printable = (text: string) => text.replaceAll(/\p{Cs}/gu, "\ufffd").replaceAll(/[\s\p{Cc}\p{Zl}\p{Zp}]/gu, "")

const lines = (text: string) =>
  text
    .replaceAll(/\r\n?/g, "\n")
    .replace(/\n+$/, "")
    .replaceAll(/\p{Cs}/gu, "\ufffd")

const sorted = (texts: Iterable<string>) => [...new Set(texts)].sort()

/** What the server saw of one mail against what was put into it. */
const check = (given: Case, mail: RawServer.Mail) => {
  const [from = "", ...rest] = mail.commands
  const sender = given.sender === undefined ? configured : given.sender.addresses[0]
  expect(from.replace(/ SIZE=\d+$/, "")).toBe(`MAIL FROM:<${sender}>`)
  expect(rest.at(-1)).toBe("DATA")
  const wanted = sorted(given.recipients.flatMap(({ addresses }) => addresses))
  expect(sorted(rest.slice(0, -1))).toEqual(sorted(wanted.map((it) => `RCPT TO:<${it}>`)))

  expect(mail.data).toMatch(/^(?:[\t\x20-\x7e]|\r\n)*$/)
  const end = mail.data.indexOf("\r\n\r\n")
  const fields = mail.data
    .slice(0, end)
    .replaceAll(/\r\n(?=[ \t])/g, "")
    .split("\r\n")
    .map((field) => [field.slice(0, field.indexOf(":")), field.slice(field.indexOf(":") + 1).trim()] as const)
  const values = new Map(fields)
  expect(fields.map(([name]) => name)).toEqual(
    headers.filter((name) => !name.endsWith("?") || values.has(name.slice(0, -1))).map((name) => name.replace("?", ""))
  )
  expect(addressesOf(values.get("From") ?? "")).toEqual([sender])
  expect(sorted(addressesOf(values.get("To") ?? ""))).toEqual(wanted)
  const answers = given.replyTo.some((it) => it.bad) ? [] : given.replyTo.flatMap(({ addresses }) => addresses)
  const missing = given.replyTo.some((it) => it.bad)
  expect(sorted(addressesOf(values.get("Reply-To") ?? ""))).toEqual(
    missing ? [] : sorted(answers.length > 0 ? answers : [sender ?? ""])
  )
  // What is written as an encoded word in ASCII is one for whoever reads it too.
  const read = (text: string) => printable(decodeWords(text))
  expect(read(read(values.get("Subject") ?? ""))).toBe(read(read(given.subject.text)))
  const subtype = (given.mimetype ?? "").trim().toLowerCase() === "html" ? "html" : "plain"
  expect(values.get("Content-Type")).toBe(`text/${subtype}; charset=utf-8`)
  const text = mail.data.slice(end + 4)
  const encoding = values.get("Content-Transfer-Encoding")
  const decoded =
    encoding === "base64"
      ? Buffer.from(text, "base64").toString()
      : encoding === "quoted-printable"
        ? decodeQuoted(text)
        : octets(text)
  expect(lines(decoded)).toBe(lines(given.body))
}

/** What a mail must come to that no server may see. */
const isRefused = (given: Case) =>
  given.subject.forged || given.sender?.bad === true || given.recipients.every((it) => it.bad)

describe("a mail", () => {
  it.scopedLive(
    `reaches those it is written to and nobody else, in ${cases} cases of seed ${seed}`,
    () =>
      Effect.gen(function* () {
        const seen = new Map<string, Array<RawServer.Mail>>()
        const server = yield* RawServer.make({
          extensions: ["SIZE 35882577"],
          answerDot: (mail) => {
            const [, id = ""] = /^Message-ID:\s+<(case-\d+)@[a-z.-]+>\r$/im.exec(mail.data) ?? []
            seen.set(id, [...(seen.get(id) ?? []), mail])
            return undefined
          }
        })
        const definition: SmtpServer.SmtpServer = {
          identifier: "test",
          host: "127.0.0.1",
          port: server.port,
          tls: "Opportunistic",
          sender: configured,
          timeout: 10_000,
          enqueueJob: true
        }
        const { send } = yield* Mailer
        let count = 0
        const one = (given: Case) =>
          Effect.gen(function* () {
            const id = `case-${++count}`
            const type = Body.parseMimetype(given.mimetype)
            if (Option.isNone(type)) return expect(["plain", "html", ""]).not.toContain(given.mimetype ?? "")
            const mail = {
              recipient: given.recipients.map(({ text }) => text),
              subject: given.subject.text,
              body: given.body,
              mimetype: type.value,
              ...(given.sender === undefined ? {} : { sender: given.sender.text }),
              replyTo: given.replyTo.map(({ text }) => text)
            }
            const result: Either.Either<Delivery, MailerError> = yield* Effect.either(
              send(definition, mail, { id, date: 0, stop: StopSignal.never })
            )
            const mails = seen.get(id) ?? []
            seen.delete(id)
            if (isRefused(given)) {
              expect(mails).toEqual([])
              const verdicts = Either.match(result, {
                onLeft: ({ verdict }) => [verdict],
                onRight: ({ refused }) => refused.map(({ verdict }) => verdict)
              })
              expect(sorted(verdicts)).toEqual(["Permanent"])
              expect(Either.getOrUndefined(result)?.accepted ?? []).toEqual([])
              return
            }
            if (Either.isLeft(result)) return expect.fail(result.left.message)
            expect(result.right.refused.length).toBeGreaterThanOrEqual(given.recipients.filter((it) => it.bad).length)
            expect(mails.length).toBe(1)
            for (const mail of mails) check(given, mail)
          })
        const property = fc.asyncProperty(
          fc.array(mailCase, { minLength: 1, maxLength: together, size: "max" }),
          (batch) =>
            Effect.forEach(batch, one, { concurrency: together, discard: true }).pipe(
              Logger.withMinimumLogLevel(LogLevel.None),
              Effect.runPromise
            )
        )
        yield* Effect.promise(async () => {
          while (count < cases) await fc.assert(property, { numRuns: 100, seed: seed + count })
        })
        // Nothing came that belongs to no mail, and nothing but SMTP was ever said.
        expect([...seen.keys()]).toEqual([])
        const odd = server.commands.filter((it) => !/^(?:EHLO |MAIL FROM:<|RCPT TO:<|DATA$|RSET$|QUIT$)/.test(it))
        expect(odd).toEqual([])
        expect(server.commands.filter((it) => it.includes("evil"))).toEqual([])
      }).pipe(
        Effect.provide(Smtp.layerOptions({ ehlo })),
        Effect.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
      ),
    30_000 + cases * 20
  )
})

describe("a mail server", () => {
  it(`is a host and a port, or refused, in ${cases} cases of seed ${seed}`, () => {
    const part = fc.oneof(
      hostile,
      attack,
      fc.constantFrom("mail.good.example", ":587", "smtp://", "smtps://", "[::1]", "/", "@", "?", "#", "%0d%0a", " ")
    )
    const written = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""))
    fc.assert(
      fc.property(written, (text) => {
        const parsed = SmtpServer.fromRow({ server: text })
        if (Either.isLeft(parsed)) return
        expect(parsed.right.host).toMatch(/^(?:[a-z0-9_.-]+|[0-9a-f:]+)$/i)
        expect(Number.isInteger(parsed.right.port) && parsed.right.port > 0 && parsed.right.port < 65_536).toBe(true)
      }),
      { numRuns: cases, seed }
    )
  })
})
