/**
 * A real mail server on 127.0.0.1 that keeps what it gets, and refuses, hangs and hangs up where a test says so.
 */
import { readFileSync } from "node:fs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from "smtp-server"
import type { SmtpServer } from "../../src/SmtpServer.ts"

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")

/** Self-signed, for localhost, 127.0.0.1 and ::1. */
export const certificate = fixture("cert.pem")

/** Who may log in. */
const username = "mfa"
const password = "mail-password"

/** What the server does instead of accepting: a reply, no reply until it is released, or cutting the connection. */
type Script = { readonly code: number; readonly text: string } | "Hang" | "Cut"

export interface Options {
  /** Default: none. */
  readonly tls?: "None" | "StartTls" | "Implicit"
  /** Default: none. `Required`: no mail without a login. */
  readonly auth?: "None" | "Required"
  /** Default: PLAIN and LOGIN. */
  readonly mechanisms?: ReadonlyArray<string>
  /** Offered, and refused whatever the password. */
  readonly brokenMechanism?: string
  readonly greeting?: Script
  readonly sender?: Script
  /** By recipient address, at RCPT. */
  readonly recipients?: Readonly<Record<string, Script>>
  /** By decoded subject, after the final dot. */
  readonly subjects?: Readonly<Record<string, Script>>
  readonly hideSmtpUtf8?: boolean
}

/** A mail that was accepted, or is held after its final dot. */
export interface Mail {
  /** Empty: the null sender. */
  readonly from: string
  readonly recipients: ReadonlyArray<string>
  /** Unfolded, encoded words decoded; names in lower case, in the order received. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** The body, decoded; line ends as they came. */
  readonly text: string
  /** The bytes of the message. */
  readonly raw: string
  readonly secure: boolean
  /** How the client logged in. */
  readonly mechanism: string | undefined
  readonly ehlo: string
}

/** A transaction that waits for a reply. */
export interface Held {
  readonly at: "Recipient" | "Data"
  /** Accepts. */
  readonly release: Effect.Effect<void>
}

export class TestSmtpServer extends Context.Tag("test/SmtpServer")<
  TestSmtpServer,
  {
    readonly port: number
    /** A definition that reaches this server without TLS and login. */
    readonly definition: SmtpServer
    /** The definition with the credentials of this server. */
    readonly authenticated: SmtpServer
    /** Waits for the next `count` accepted mails. */
    readonly take: (count: number) => Effect.Effect<ReadonlyArray<Mail>>
    /** Mails accepted and not taken yet. */
    readonly size: Effect.Effect<number>
    /** Waits for the next transaction that hangs. */
    readonly held: Effect.Effect<Held>
    /** The addresses of all MAIL and RCPT commands so far, as they came. */
    readonly asked: Effect.Effect<ReadonlyArray<string>>
    /** Connections made so far. */
    readonly connections: Effect.Effect<number>
    /** Connections that are open now. */
    readonly open: Effect.Effect<number>
    /** Ends all connections without a word. */
    readonly cut: Effect.Effect<void>
  }
>() {}

const decodeQuotedPrintable = (text: string): Buffer =>
  Buffer.from(
    text
      .replaceAll(/=\r\n/g, "")
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1"
  )

const decodeWords = (value: string): string =>
  value
    .replaceAll(/\?=\s+=\?/g, "?==?")
    .replaceAll(/=\?utf-8\?([QB])\?([^?]*)\?=/gi, (_, encoding: string, text: string) =>
      (encoding.toUpperCase() === "B"
        ? Buffer.from(text, "base64")
        : decodeQuotedPrintable(text.replaceAll("_", " "))
      ).toString()
    )

const parse = (raw: string, session: SMTPServerSession): Mail => {
  const end = raw.indexOf("\r\n\r\n")
  const headers = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, " ")
    .split("\r\n")
    .map((line): [string, string] => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim())]
    })
  const body = raw.slice(end + 4)
  const encoding = headers.find(([name]) => name === "content-transfer-encoding")?.[1]
  const text =
    encoding === "base64"
      ? Buffer.from(body, "base64").toString()
      : encoding === "quoted-printable"
        ? decodeQuotedPrintable(body).toString()
        : body
  const { mailFrom, rcptTo } = session.envelope
  return {
    from: mailFrom === false ? "" : mailFrom.address,
    recipients: rcptTo.map(({ address }) => address),
    headers,
    text,
    raw,
    secure: session.secure,
    mechanism: typeof session.user === "string" ? session.user : undefined,
    ehlo: session.hostNameAppearsAs
  }
}

export const make = (options: Options = {}): Effect.Effect<Context.Tag.Service<TestSmtpServer>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const accepted = yield* Queue.unbounded<Mail>()
    const holds = yield* Queue.unbounded<Held>()
    const tls = options.tls ?? "None"
    const auth = options.auth ?? "None"
    const asked: Array<string> = []
    let connections = 0

    const silent = () => {}
    const logger = {
      level: silent,
      trace: silent,
      info: silent,
      warn: silent,
      error: silent,
      fatal: silent,
      debug: (...record: ReadonlyArray<unknown>) => {
        const [, , line] = record
        const [, address] = /^(?:MAIL FROM|RCPT TO):<([^>]*)>/.exec(typeof line === "string" ? line : "") ?? []
        if (address !== undefined) asked.push(address)
      }
    }

    const cut = (session: SMTPServerSession) => {
      for (const connection of server.connections) if (connection.id === session.id) connection._socket.destroy()
    }
    const play = (
      script: Script | undefined,
      session: SMTPServerSession,
      at: Held["at"],
      callback: (error?: Error | null) => void
    ) => {
      if (script === undefined) callback()
      else if (script === "Cut") cut(session)
      else if (script === "Hang") holds.unsafeOffer({ at, release: Effect.sync(() => callback()) })
      else callback(Object.assign(new Error(script.text), { responseCode: script.code }))
    }

    const serverOptions: SMTPServerOptions = {
      name: "mail.example.org",
      logger,
      secure: tls === "Implicit",
      key: fixture("key.pem"),
      cert: certificate,
      authMethods: [...(options.mechanisms ?? ["PLAIN", "LOGIN"])],
      allowInsecureAuth: true,
      authOptional: auth === "None",
      disabledCommands: [...(auth === "None" ? ["AUTH"] : []), ...(tls === "StartTls" ? [] : ["STARTTLS"])],
      hideSMTPUTF8: options.hideSmtpUtf8 ?? false,
      disableReverseLookup: true,
      lenientAddressParsing: true,
      // Connections that a client leaves open end with the test.
      closeTimeout: 1,
      onConnect: (session, callback) => {
        connections++
        play(options.greeting, session, "Recipient", callback)
      },
      onAuth: (attempt, _session, callback) => {
        const right =
          attempt.username === username &&
          attempt.method !== options.brokenMechanism &&
          (attempt.method === "CRAM-MD5" ? attempt.validatePassword(password) : attempt.password === password)
        if (right) callback(null, { user: attempt.method })
        else callback(Object.assign(new Error(`5.7.8 no login for ${attempt.password}`), { responseCode: 535 }))
      },
      onMailFrom: (_address, session, callback) => play(options.sender, session, "Recipient", callback),
      onRcptTo: ({ address }, session, callback) => play(options.recipients?.[address], session, "Recipient", callback),
      onData: (stream, session, callback) => {
        const chunks: Array<Buffer> = []
        stream.on("data", (chunk: Buffer) => chunks.push(chunk))
        stream.on("end", () => {
          const mail = parse(Buffer.concat(chunks).toString(), session)
          const subject = mail.headers.find(([name]) => name === "subject")?.[1] ?? ""
          play(options.subjects?.[subject], session, "Data", (error) => {
            if (!error) accepted.unsafeOffer(mail)
            callback(error)
          })
        })
      }
    }
    const server = new SMTPServer(serverOptions)
    server.on("error", () => {})

    const port = yield* Effect.acquireRelease(
      Effect.async<number>((resume) => {
        const listener = server.listen(0, "127.0.0.1", () => {
          const address = listener.address()
          resume(
            address !== null && typeof address === "object"
              ? Effect.succeed(address.port)
              : Effect.dieMessage("the mail server has no port")
          )
        })
      }),
      () => Effect.async<void>((resume) => server.close(() => resume(Effect.void)))
    )

    const definition: SmtpServer = {
      identifier: "test",
      host: "127.0.0.1",
      port,
      tls: tls === "None" ? "Opportunistic" : tls,
      sender: "eduMFA <mfa@example.org>",
      timeout: 5000,
      enqueueJob: true
    }
    return TestSmtpServer.of({
      port,
      definition,
      authenticated: { ...definition, username, password: Redacted.make(password) },
      take: (count) => Effect.map(Queue.takeBetween(accepted, count, count), (mails) => [...mails]),
      size: accepted.size,
      held: Queue.take(holds),
      asked: Effect.sync(() => [...asked]),
      connections: Effect.sync(() => connections),
      open: Effect.sync(() => server.connections.size),
      cut: Effect.sync(() => {
        for (const connection of server.connections) connection._socket.destroy()
      })
    })
  })

export const layer = (options: Options = {}): Layer.Layer<TestSmtpServer> => Layer.scoped(TestSmtpServer, make(options))
