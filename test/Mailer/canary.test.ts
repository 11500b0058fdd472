/**
 * A code, a password and a recipient that are looked for afterwards in everything a worker leaves behind: lines of the
 * log at all levels, metrics, spans, errors, dead letters. The mail servers of this test repeat whatever they were told.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as EncKey from "../../src/EdumfaConfig/EncKey.ts"
import * as Job from "../../src/Job.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import { JobStore } from "../../src/JobStore.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { Mailer } from "../../src/Mailer.ts"
import * as Memory from "../../src/Memory.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import * as SmtpServer from "../../src/SmtpServer.ts"
import * as Worker from "../../src/Worker.ts"
import * as RawServer from "./RawServer.ts"

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))
const certificate = readFileSync(fixture("tls/mail/self-signed.pem"), "utf8")
const key = readFileSync(fixture("tls/mail/server.key"), "utf8")

const code = "90041827"
const word = "Zauberlehrling"
const password = "canary-Pa55word-Qx"
const recipient = "canary.person@example.org"
const subject = `Code ${code}`
const body = `Hello ${word}, your code is ${code}\n`
/** Not what any key decrypts; its letters are looked for as well. */
const undecryptable = "63e9a2d7ebf301f9974f896336362ca3:3bb54c1000bf77860f063b71222f1f1f"

const encodings = ["base64", "hex"] as const
const secrets = [code, word, password, recipient, undecryptable]
/** As they are, and as a reply may encode them; Base64 less the last characters, which depend on what follows. */
const traces = [
  ...secrets,
  ...secrets.flatMap((secret) => encodings.map((encoding) => Buffer.from(secret).toString(encoding).slice(0, -4))),
  Buffer.from(`\0mfa\0${password}`).toString("base64").slice(0, -4),
  Buffer.from(subject).toString("base64").slice(0, -4),
  Buffer.from(body).toString("base64").slice(0, -4)
]

/** What is repeated, in words and in Base64. */
const repeated = [
  subject,
  body.trim(),
  `<${recipient}>`,
  password,
  [subject, body.trim(), recipient, password].join(" | ")
]
const echoes = [...repeated, ...repeated.map((text) => Buffer.from(text).toString("base64"))]

interface Scenario {
  readonly name: string
  readonly server: RawServer.Options
  readonly change?: Partial<SmtpServer.SmtpServer>
}

/** Before it was told anything of a mail a server can repeat nothing of it. */
const at = ["MAIL", "RCPT", "DATA"]
const codes = ["421 4.7.0", "451 4.3.0", "550 5.7.1", "garbage"]

const refusals: ReadonlyArray<Scenario> = at.flatMap((command) =>
  codes.flatMap((reply) =>
    echoes.map((echo) => ({
      name: `${reply} at ${command}`,
      server: {
        answer: (line) => (line.startsWith(command) ? `${reply} ${echo}` : undefined)
      }
    }))
  )
)

const afterDot: ReadonlyArray<Scenario> = codes.flatMap((reply) =>
  echoes.flatMap((echo) => [
    { name: `${reply} after the dot`, server: { answerDot: () => `${reply} ${echo}` } },
    {
      name: `${reply} after the dot in two lines`,
      server: { answerDot: () => `${reply.replace(" ", "-")} ${echo}\r\n${reply} ${echo}` }
    }
  ])
)

const login = { username: "mfa", password: Redacted.make(password) }

const logins: ReadonlyArray<Scenario> = ["CRAM-MD5", "PLAIN", "LOGIN"].flatMap((mechanism) =>
  ["454 4.7.0", "535 5.7.8", "534 5.7.9", "nonsense"].flatMap((reply) =>
    [
      (said: string) => said,
      (said: string) => Buffer.from(said).toString("base64"),
      (said: string) => Buffer.from(said).toString("hex"),
      ...echoes.map((echo) => () => echo)
    ].map((echo) => ({
      name: `${reply} to ${mechanism}`,
      server: {
        extensions: [`AUTH ${mechanism}`],
        answerLogin: (_: string, said: string) => `${reply} ${echo(said.replaceAll("\0", " "))}`
      },
      change: login
    }))
  )
)

const tls = { mode: "StartTls", key, cert: certificate } as const

const others: ReadonlyArray<Scenario> = [
  { name: "a success", server: {} },
  { name: "a success with a login", server: { extensions: ["AUTH PLAIN"] }, change: login },
  { name: "a certificate that is not trusted", server: { tls }, change: { ...login, tls: "StartTls" } },
  { name: "no STARTTLS", server: { extensions: ["AUTH PLAIN"] }, change: { ...login, tls: "StartTls" } },
  { name: "no AUTH", server: {}, change: login },
  {
    name: "a password that cannot be decrypted",
    server: {},
    change: { username: "mfa", password: Redacted.make(undecryptable) }
  }
]

/** Every server but those about logins was told the password before the mail. */
const known = [...refusals, ...afterDot].map(
  (scenario): Scenario => ({ ...scenario, server: { extensions: ["AUTH PLAIN"], ...scenario.server }, change: login })
)

const scenarios = [...others, ...logins, ...known]

const Loose = Schema.Struct({
  config: Schema.Unknown,
  recipient: Schema.Unknown,
  subject: Schema.Unknown,
  body: Schema.Unknown,
  sender: Schema.Unknown,
  reply_to: Schema.Unknown,
  mimetype: Schema.Unknown
})

/** The job as Python may enqueue it: with arguments that its schema does not let through. */
const loose = Job.make({
  name: "edumfa.lib.smtpserver.smtpserver.send_email",
  params: ["config", "recipient", "subject", "body", "sender", "reply_to", "mimetype"],
  args: Loose,
  run: () => Effect.void
})

/** All an error says to whom it is shown. */
const render = (error: unknown): ReadonlyArray<string> => [
  String(error),
  JSON.stringify(error) ?? "",
  inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null, maxArrayLength: null }),
  ...(error instanceof Error ? [error.stack ?? "", ...(error.cause === undefined ? [] : render(error.cause))] : [])
]

const renderCause = (cause: Cause.Cause<unknown>) => Cause.pretty(cause, { renderErrorCause: true })

/** What was left behind, and by what. */
class Remains {
  readonly texts: Array<readonly [where: string, text: string]> = []

  add(where: string, ...texts: ReadonlyArray<string>) {
    for (const text of texts) this.texts.push([where, text])
  }

  readonly logger = Logger.make(({ annotations, cause, logLevel, message, spans }) => {
    const rendered = inspect([message, [...annotations], [...spans]], { depth: Number.POSITIVE_INFINITY })
    this.add(`log ${logLevel.label}`, rendered, renderCause(cause))
  })

  readonly tracer = Tracer.make({
    context: (run) => run(),
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const tell = (...parts: ReadonlyArray<unknown>) => this.add(`span ${name}`, inspect(parts, { depth: 8 }))
      let status: Tracer.SpanStatus = { _tag: "Started", startTime }
      return {
        _tag: "Span",
        name,
        spanId: "span",
        traceId: "trace",
        parent,
        context,
        links,
        sampled: true,
        kind,
        attributes,
        get status() {
          return status
        },
        attribute: (key, value) => {
          attributes.set(key, value)
          tell(key, value)
        },
        event: (event, _, more) => tell(event, more),
        addLinks: () => {},
        end: (endTime, exit) => {
          status = { _tag: "Ended", startTime, endTime, exit }
          tell(name, [...attributes])
          // What an exporter writes of a failed span.
          if (Exit.isFailure(exit)) this.add(`span ${name}`, renderCause(exit.cause))
        }
      }
    }
  })

  /** A store whose dead letters and retries are looked at; it damages messages that say so. */
  readonly store = Layer.effect(
    JobStore,
    Effect.map(JobStore, (store) => ({
      ...store,
      exchange: (settlements, free) => {
        for (const settlement of settlements) {
          this.ended += settlement._tag === "Released" ? 0 : 1
          // The bytes of what remains of a job are the job itself.
          const { bytes: _, ...told } = { bytes: undefined, ...settlement }
          this.add(`settlement ${settlement._tag}`, inspect(told, { depth: 8 }))
        }
        return Effect.map(store.exchange(settlements, free), (answer) => ({
          ...answer,
          grants: answer.grants.map((grant) => ({
            ...grant,
            bytes: Buffer.from(grant.bytes).includes("damaged") ? grant.bytes.subarray(0, -9) : grant.bytes
          }))
        }))
      }
    }))
  ).pipe(Layer.provideMerge(Memory.layer()))

  /** Settlements of jobs that were not released. */
  ended = 0
  readonly verdicts = new Map<string, number>()

  /** A mailer whose errors are looked at; it throws what it was given where a mail says so. */
  readonly mailer = Layer.effect(
    Mailer,
    Effect.map(Mailer, ({ send }) => ({
      send: (server, mail, options) => {
        const work = mail.subject.includes("crash")
          ? Effect.die(
              new Error(`${mail.subject} ${mail.body} ${Redacted.value(server.password ?? Redacted.make(""))}`)
            )
          : send(server, mail, options)
        return work.pipe(
          Effect.tapError((error) =>
            Effect.sync(() => {
              const name = `${error.reason} ${error.verdict}`
              this.verdicts.set(name, (this.verdicts.get(name) ?? 0) + 1)
              this.add(`error ${name}`, ...render(error))
            })
          ),
          Effect.tap(({ refused }) =>
            Effect.sync(() => {
              if (refused.length > 0) this.verdicts.set("refused", (this.verdicts.get("refused") ?? 0) + 1)
              this.add("refusal", ...refused.map(({ reason }) => reason))
            })
          ),
          // A crash is a defect: what an exporter writes of one is the program's own affair.
          mail.subject.includes("crash") ? (it) => it : Effect.withSpan("Mailer.send")
        )
      }
    }))
  ).pipe(Layer.provide(Smtp.layerOptions({ ehlo: "worker.example.org", others: { verify: true } })))
}

describe("a code, a password and a recipient", () => {
  it.scopedLive(
    `are found nowhere after ${scenarios.length} mails to servers that repeat them, and after what else goes wrong`,
    () =>
      Effect.gen(function* () {
        const remains = new Remains()
        const definition = (server: RawServer.RawServer, change: Partial<SmtpServer.SmtpServer> = {}) => ({
          identifier: "test",
          host: "127.0.0.1",
          port: server.port,
          tls: "Opportunistic" as const,
          sender: "mfa@example.org",
          timeout: 5_000,
          enqueueJob: true,
          ...change
        })
        const hanging = yield* RawServer.make({
          extensions: ["AUTH PLAIN"],
          answer: (command) => (command.startsWith("RCPT") ? null : undefined)
        })
        const fine = yield* RawServer.make({ extensions: ["AUTH PLAIN"] })
        const row = SmtpServer.toRow(definition(fine, login))
        const enqueueRaw = (args: Partial<typeof Loose.Type>) =>
          Effect.flatMap(JobQueue, (queue) =>
            queue.enqueue(loose, {
              config: row,
              recipient,
              subject,
              body,
              sender: null,
              reply_to: null,
              mimetype: null,
              ...args
            })
          )
        const run = Effect.gen(function* () {
          const worker = yield* Effect.forkScoped(
            Effect.provide(Worker.run(Job.jobs(SendEmail.job), { slots: 40, grace: "1 second" }), remains.mailer)
          )
          for (const { change, server } of scenarios) {
            const raw = yield* RawServer.make(server)
            yield* SendEmail.sendEmail(definition(raw, change), { recipient, subject, body })
          }
          yield* enqueueRaw({ subject: `crash ${code}` })
          yield* enqueueRaw({ subject: `damaged ${code}` })
          yield* enqueueRaw({ config: { ...row, server: `http://${password}` } })
          yield* enqueueRaw({ config: { ...row, port: password } })
          yield* enqueueRaw({ config: { ...row, timeout: password } })
          yield* enqueueRaw({ mimetype: `x ${code} ${word}` })
          yield* enqueueRaw({ sender: `${recipient}\r\n${code} ${word}` })
          yield* enqueueRaw({ recipient: [`${recipient}\r\n${code}`, `"${recipient}`] })
          yield* enqueueRaw({ reply_to: `${recipient}\r\n${code} ${word}` })
          yield* enqueueRaw({ subject: `${subject}\r\nX-${word}: ${code}` })
          yield* enqueueRaw({ body: Buffer.concat([Buffer.from(body), Buffer.from([0xff])]) })
          const wanted = scenarios.length + 11
          yield* Effect.sleep("20 millis").pipe(
            Effect.repeat({ until: () => remains.ended >= wanted }),
            Effect.timeoutFail({
              duration: "60 seconds",
              onTimeout: () => new Error(`${remains.ended} of ${wanted} attempts ended`)
            })
          )
          yield* SendEmail.sendEmail(definition(hanging, login), { recipient, subject, body })
          yield* Effect.sleep("5 millis").pipe(
            Effect.repeat({ until: () => hanging.commands.some((it) => it.startsWith("RCPT")) })
          )
          yield* Fiber.interrupt(worker)
        })
        yield* run.pipe(
          Effect.scoped,
          Effect.provide(Layer.mergeAll(remains.store, Layer.succeed(Mailer, { send: () => Effect.never }))),
          Effect.provide(Layer.provide(EncKey.layer(fixture("enckey/enckey")), NodeFileSystem.layer)),
          Effect.withTracer(remains.tracer),
          Logger.withMinimumLogLevel(LogLevel.All),
          Effect.provide(Logger.replace(Logger.defaultLogger, remains.logger))
        )
        remains.add("metrics", inspect(yield* Metric.snapshot, { depth: Number.POSITIVE_INFINITY }))

        // It was looked where it should be: something came from everywhere.
        const places = new Set(remains.texts.map(([where]) => where.split(" ").slice(0, 2).join(" ")))
        expect([...places]).toEqual(
          expect.arrayContaining([
            ...["log DEBUG", "log INFO", "log WARN", "log ERROR", "span Mailer.send", "metrics", "refusal"],
            ...["settlement Done", "settlement Retry", "settlement Dead", "settlement Released"],
            ...[
              "error Authentication",
              "error Refused",
              "error Tls",
              "error Password",
              "error Protocol",
              "error Stopped"
            ]
          ])
        )
        expect(remains.verdicts.get("refused")).toBeGreaterThan(0)

        const found = remains.texts.flatMap(([where, text]) =>
          traces.filter((trace) => text.includes(trace)).map((trace) => `${trace} in ${where}: ${text.slice(0, 400)}`)
        )
        expect(found.slice(0, 5)).toEqual([])
      }),
    120_000
  )
})
