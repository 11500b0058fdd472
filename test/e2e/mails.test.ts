/**
 * The built command takes what Python's huey enqueued, and the mails arrive.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Command from "../services/Command.ts"
import * as MimeParts from "../services/MimeParts.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))

const Text = Schema.NullOr(Schema.String)

/** A message as Python's side of the fixtures describes it. */
const Sample = Schema.Struct({
  file: Schema.String,
  id: Schema.String,
  args: Schema.Tuple(
    [Schema.Struct({ sender: Schema.String })],
    Schema.Union(Text, Schema.Array(Schema.String), Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  ),
  kwargs: Schema.Struct({
    subject: Schema.optional(Schema.String),
    body: Schema.optional(Schema.String),
    mimetype: Schema.optional(Schema.String)
  }),
  mime_root: Schema.optional(Schema.String),
  mime_parts: Schema.optional(Schema.Array(Schema.Unknown))
})

const samples = ["3.2.1", "3.3.0"].flatMap((version) =>
  Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Sample)))(
    readFileSync(fixture(`huey-messages/manifest.${version}.json`), "utf8")
  )
)

/** With a signature and with local times a queue has a setting of its own. */
const isSigned = ({ file }: typeof Sample.Type) => /^(signed|local-time)\./.test(file)

const secret = "correct horse"

const zone = "Europe/Berlin"

/** The samples as Python's pickle writes them for these mail servers, by file. */
const restamp = Effect.fnUntraced(function* (
  chosen: ReadonlyArray<typeof Sample.Type>,
  ports: Readonly<Record<"plain" | "starttls" | "implicit", number>>,
  secret_?: string
) {
  const messages = chosen.map(({ file }) => ({
    file,
    bytes: readFileSync(fixture(`huey-messages/${file}`)).toString("base64"),
    fields: file.endsWith(".3.2.1.msg") ? 14 : 15
  }))
  const python = yield* Command.start("python3", ["-B", fixture("python/restamp.py")], {
    cwd: fixture("python"),
    env: { TZ: zone },
    input: JSON.stringify({ messages, ports, secret: secret_ })
  })
  const { code, stdout, stderr } = yield* Effect.flatten(python.ended)
  if (code !== 0) return yield* Effect.dieMessage(`python3 is needed for this test: ${stderr}`)
  return stdout
    .trim()
    .split("\n")
    .map((line) => Buffer.from(line, "base64"))
})

/** What the mail of a sample has to look like. */
const expected = ({ args, kwargs, mime_parts, mime_root }: typeof Sample.Type) => {
  const [config, recipient, subject, body, sender, replyTo, mimetype] = args
  const from = typeof sender === "string" ? sender : config.sender
  const text = kwargs.body ?? body
  return {
    from,
    recipients: Array.isArray(recipient) ? recipient : [recipient],
    subject: kwargs.subject ?? subject,
    replyTo: typeof replyTo === "string" ? replyTo : from,
    type: mime_root ?? `text/${kwargs.mimetype ?? mimetype ?? "plain"}; charset=utf-8`,
    parts: mime_parts,
    text: typeof text === "string" ? text.replaceAll(/\r?\n/g, "\r\n") : undefined
  }
}

const received = (mail: SmtpServer.Mail) => {
  const header = (name: string) => mail.headers.find(([key]) => key === name)?.[1]
  const type = header("content-type") ?? ""
  const isMultipart = type.startsWith("multipart/")
  return {
    from: mail.from,
    recipients: mail.recipients,
    subject: header("subject"),
    replyTo: header("reply-to"),
    type: isMultipart ? type.split(";")[0] : type,
    parts: isMultipart ? MimeParts.split(type, mail.text) : undefined,
    text: isMultipart ? undefined : mail.text.replace(/\r\n$/, "")
  }
}

/** In an order of their own: they arrive in any. */
const asSet = (mails: ReadonlyArray<unknown>) => mails.map((mail) => JSON.stringify(mail)).sort()

describe("the command", () => {
  it.scopedLive(
    "mails what Python's huey enqueued",
    () =>
      Effect.gen(function* () {
        const redisServer = yield* RedisServer.make()
        const [plain, starttls, implicit] = yield* Effect.all([
          SmtpServer.make(),
          SmtpServer.make({ tls: "StartTls", auth: "Required" }),
          SmtpServer.make({ tls: "Implicit", auth: "Required" })
        ])
        const ports = { plain: plain.port, starttls: starttls.port, implicit: implicit.port }
        const common = `
EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue'
EDUMFA_JOB_QUEUE_URL = '${redisServer.url}'
EDUMFA_ENCFILE = '${fixture("enckey/enckey")}'
`
        const cwd = yield* Command.directory({
          "edumfa.cfg": common,
          "signed.cfg": `${common}EDUMFA_JOB_QUEUE_NAME = 'signed'\nEDUMFA_JOB_QUEUE_UTC = False\nEDUMFA_QUEUE_WORKER_SIGNING_SECRET = '${secret}'\n`
        })
        const unsigned = yield* restamp(
          samples.filter((sample) => !isSigned(sample)),
          ports
        )
        const signed = yield* restamp(samples.filter(isSigned), ports, secret)
        const redis = redisServer.connection
        yield* redis.use((client) => client.lpush("huey.redis.huey", ...unsigned))
        yield* redis.use((client) => client.lpush("huey.redis.signed", ...signed))

        const options = { cwd, env: { TZ: zone } }
        const worker = yield* Command.command(["-l", "q.log", "-w", "4", "--config", "edumfa.cfg"], options)
        const other = yield* Command.command(["-l", "signed.log", "--config", "signed.cfg"], options)
        const log = join(cwd, "q.log")
        yield* Command.logged(log, / done /, unsigned.length)
        yield* Command.logged(join(cwd, "signed.log"), / done /, signed.length)

        const mails = yield* Effect.forEach([plain, starttls, implicit], (server) =>
          Effect.flatMap(server.size, server.take)
        )
        expect(asSet(mails.flat().map(received))).toEqual(asSet(samples.map(expected)))
        // tls, and the login of the encrypted password, where the job asks for it.
        expect(mails.map((list) => new Set(list.map(({ secure }) => secure)))).toEqual([
          new Set([false]),
          new Set([true]),
          new Set([true])
        ])
        for (const mail of mails.flat()) {
          const headers = new Map(mail.headers)
          expect(headers.get("precedence")).toBe("bulk")
          expect(headers.get("auto-submitted")).toBe("auto-generated")
          expect(headers.get("message-id")).toMatch(/^<[^<>@\s]+@example\.org>$/)
          expect(Date.parse(headers.get("date") ?? "")).toBeGreaterThan(0)
        }

        yield* worker.kill("SIGTERM")
        yield* other.kill("SIGTERM")
        expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
        expect(yield* Effect.flatten(other.ended)).toMatchObject({ code: 0, stderr: "" })
        const text = readFileSync(log, "utf8")
        const news = /\[WARNING\].* 127\.0\.0\.1:(\d+) gets a password from this queue for the first time/
        const secured = text.split("\n").flatMap((line) => news.exec(line)?.[1] ?? [])
        expect(secured.sort()).toEqual([starttls.port, implicit.port].map(String).sort())
        const lines = text.split("\n").filter((line) => !news.test(line))
        for (const sample of samples.filter((it) => !isSigned(it))) {
          expect(lines.filter((line) => line.includes(` id=${sample.id}`))).toHaveLength(1)
          const { text: body } = expected(sample)
          for (const line of body?.split("\r\n") ?? []) if (line.length > 5) expect(text).not.toContain(line)
        }
        expect(text).not.toMatch(/\d{6}\./)
        const keys = yield* redis.use((client) => client.keys("*"))
        // Nothing of the jobs but their digests, and that their logins worked.
        expect([...keys].sort()).toEqual(
          ["huey", "signed"].flatMap((name) =>
            ["breaker", "counters", "seen"].map((key) => `{huey.redis.${name}}:q:${key}`)
          )
        )
      }),
    60_000
  )
})
