import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as EncKey from "../src/EdumfaConfig/EncKey.ts"
import * as MimeTree from "../src/Huey/MimeTree.ts"
import { Instance, Tuple } from "../src/Huey/PickleValue.ts"
import * as Huey from "../src/Huey.ts"
import * as Job from "../src/Job.ts"
import * as NoneQueue from "../src/JobQueue/None.ts"
import { JobStore } from "../src/JobStore.ts"
import * as Recording from "../src/Mailer/Recording.ts"
import * as Smtp from "../src/Mailer/Smtp.ts"
import { type Delivery, type Mail, Mailer, MailerError } from "../src/Mailer.ts"
import * as Memory from "../src/Memory.ts"
import * as SendEmail from "../src/SendEmail.ts"
import type { SmtpServer } from "../src/SmtpServer.ts"
import * as StopSignal from "../src/StopSignal.ts"
import * as Worker from "../src/Worker.ts"
import * as SmtpService from "./services/SmtpServer.ts"

const jobs = Job.jobs(SendEmail.job)

const queuedServer: SmtpServer = {
  identifier: "queued",
  host: "mail.example.org",
  port: 587,
  tls: "StartTls",
  username: "mfa",
  password: Redacted.make("mail-password"),
  sender: "eduMFA <mfa@example.org>",
  timeout: 10_000,
  enqueueJob: true
}

const directServer: SmtpServer = { ...queuedServer, identifier: "direct", enqueueJob: false }

const mail: Mail = {
  recipient: ["ada@example.org", "bob@example.org"],
  subject: "Ihr Einmalpasswort für Zoë",
  body: "493817",
  mimetype: "html",
  replyTo: "helpdesk@example.org"
}

/** A mailer that answers as told. */
const answering = (answer: Effect.Effect<Delivery, MailerError>) => Layer.succeed(Mailer, { send: () => answer })

const send = (server: SmtpServer, options = {}) => SendEmail.sendEmail(server, mail, options)

describe("SendEmail", () => {
  it.effect("in one composition mails for one server through the queue and for another directly", () =>
    Effect.gen(function* () {
      const { all } = yield* Recording.Outbox
      const direct = yield* send(directServer)
      expect(direct).toEqual({ _tag: "Delivered", delivery: { accepted: mail.recipient, refused: [] } })
      const queued = yield* send(queuedServer)
      expect(queued._tag).toBe("Enqueued")
      // The direct one is there, the other one waits for a worker.
      expect((yield* all).map(({ server }) => server.identifier)).toEqual(["direct"])
      expect((yield* Effect.flatMap(JobStore, (store) => store.counts)).waiting).toBe(1)
    }).pipe(Effect.provide([Memory.layer(), Recording.layer]))
  )

  it.scoped("carries server and mail through the queue unchanged", () =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(Worker.run(jobs))
      const sent = yield* send(queuedServer)
      const recorded = yield* Effect.flatMap(Recording.Outbox, (outbox) => outbox.next)
      expect(recorded.mail).toEqual({ ...mail, replyTo: ["helpdesk@example.org"] })
      expect(recorded.server).toEqual(queuedServer)
      expect(sent).toEqual({ _tag: "Enqueued", jobId: recorded.id })
    }).pipe(Effect.provide([Memory.layer(), Recording.layer]))
  )

  it.scoped("does not mail a code that has expired", () =>
    Effect.gen(function* () {
      yield* send(queuedServer, { expires: "120 seconds" })
      yield* TestClock.adjust("121 seconds")
      yield* send(queuedServer, { expires: "120 seconds" })
      yield* Effect.forkScoped(Worker.run(jobs))
      const { all, next } = yield* Recording.Outbox
      yield* next
      expect(yield* all).toHaveLength(1)
    }).pipe(Effect.provide([Memory.layer(), Recording.layer]))
  )

  it.effect("without a queue mails at once, and shows why it could not", () =>
    Effect.gen(function* () {
      const refused = new MailerError({ reason: "Refused", verdict: "Permanent", detail: "554 no" })
      const layer = (mailer: Layer.Layer<Mailer>) => Layer.provideMerge(NoneQueue.layer(jobs), mailer)
      const sent = yield* Effect.provide(send(queuedServer), layer(Recording.layer))
      expect(sent._tag).toBe("Enqueued")
      const error = yield* Effect.flip(Effect.provide(send(queuedServer), layer(answering(Effect.fail(refused)))))
      expect(error).toMatchObject({ _tag: "EnqueueError", reason: "JobFailed", detail: "Refused: 554 no" })
    })
  )

  it.effect("fails directly where nobody accepted the mail, and not where somebody did", () =>
    Effect.gen(function* () {
      const refused = [{ recipient: "bob@example.org", verdict: "Permanent", code: 550, reason: "550 no" }] as const
      const result = (accepted: ReadonlyArray<string>) =>
        send(directServer).pipe(Effect.provide([answering(Effect.succeed({ accepted, refused })), Memory.layer()]))
      expect(yield* result(["ada@example.org"])).toMatchObject({ _tag: "Delivered" })
      expect(yield* Effect.flip(result([]))).toMatchObject({
        reason: "Refused",
        verdict: "Permanent",
        detail: "550 no"
      })
    })
  )

  const failureOf = (args: ReadonlyArray<unknown>, answer: Effect.Effect<Delivery, MailerError>) =>
    Effect.gen(function* () {
      const prepared = yield* SendEmail.job.prepare({ args, kwargs: {} })
      const stop = StopSignal.never
      return yield* Effect.flip(
        prepared.perform({ jobId: "id", number: 1, firstTakenAt: 0, expiresAt: undefined, stop })
      )
    }).pipe(Effect.provide(answering(answer)))

  it.effect("keeps of a job what was refused for now, and never who accepted", () =>
    Effect.gen(function* () {
      const row = { server: "mail.example.org" }
      const refused = [
        { recipient: "now@example.org", verdict: "Transient", code: 451, reason: "451 busy" },
        { recipient: "ever@example.org", verdict: "Permanent", code: 550, reason: "550 no" }
      ] as const
      const args = [row, ["ok@example.org", ["now@example.org", null], "ever@example.org"], "s", "b"]
      const failure = yield* failureOf(args, Effect.succeed({ accepted: ["ok@example.org"], refused }))
      expect(failure).toMatchObject({
        verdict: "Transient",
        reason: "1 accepted, 1 refused for now, 1 for good: 451 busy",
        remaining: { args: [row, ["now@example.org"], "s", "b"], kwargs: {} }
      })
    })
  )

  it.effect("says which fault it is where a definition or a mimetype cannot be used", () =>
    Effect.gen(function* () {
      const never = Effect.dieMessage("nothing may be sent")
      const server = { server: "mail.example.org" }
      expect(yield* failureOf([{ server: "file:///etc/passwd" }, "a@x", "s", "b"], never)).toMatchObject({
        verdict: "Permanent",
        reason: "SMTP server: server is neither smtp:// nor smtps://"
      })
      expect(yield* failureOf([{ ...server, smime: true }, "a@x", "s", "b"], never)).toMatchObject({
        verdict: "Configuration",
        reason: "SMTP server: S/MIME is not supported"
      })
      expect(yield* failureOf([server, "a@x", "s", "b", null, null, "plain\r\nBcc: e@x"], never)).toMatchObject({
        verdict: "Permanent",
        reason: "mimetype is neither plain nor html"
      })
      expect(yield* failureOf([server, "a@x", "s", new Uint8Array([0xff])], never)).toMatchObject({
        verdict: "Permanent",
        reason: "body is not UTF-8"
      })
    })
  )

  describe("a MIME tree as the body", () => {
    const codec = Huey.make()
    const sample = readFileSync(new URL("./fixtures/mime-trees/edumfa-html.p5.msg", import.meta.url))
    const message = Either.getOrThrow(codec.decode(sample))
    const attempt = { jobId: "id", number: 1, firstTakenAt: 0, expiresAt: undefined, stop: StopSignal.never }
    const perform = (call: Job.Call) => Effect.flatMap(SendEmail.job.prepare(call), ({ perform }) => perform(attempt))
    const bodyOf = (call: Job.Call) =>
      Effect.gen(function* () {
        yield* perform(call)
        const { mail } = yield* Effect.flatMap(Recording.Outbox, (outbox) => outbox.next)
        return mail
      }).pipe(Effect.provide(Recording.layer))

    it.effect("is mailed as the bytes it stands for, whatever the mimetype says", () =>
      Effect.gen(function* () {
        const [config, recipient, subject, body] = message.call.args
        const tree = MimeTree.isMimeTree(body) ? body : expect.fail("no tree")
        const mime = Either.getOrThrow(MimeTree.toBytes(tree))
        const mail = yield* bodyOf({ args: [config, recipient, subject, body, null, null, "whatever"], kwargs: {} })
        expect(mail).toEqual({ recipient: ["ada@example.org"], subject: "Your new token", body: { mime } })
        expect((yield* bodyOf({ args: [config, recipient, subject], kwargs: { body } })).body).toEqual({ mime })
      })
    )

    it.effect("stays the same where some recipients were refused for now", () =>
      Effect.gen(function* () {
        const refused = [{ recipient: "ada@example.org", verdict: "Transient", code: 451, reason: "451 busy" }] as const
        const failure = yield* Effect.flip(
          Effect.provide(perform(message.call), answering(Effect.succeed({ accepted: [], refused })))
        )
        const { remaining } = failure instanceof Job.JobFailure ? failure : expect.fail("no failure of the job")
        const rewritten = Huey.withCall(message, remaining ?? expect.fail("nothing remains"))
        const again = Either.getOrThrow(codec.decode(Either.getOrThrow(codec.encode(rewritten))))
        expect(again.call.args[1]).toEqual(["ada@example.org"])
        expect(yield* bodyOf(again.call)).toEqual(yield* bodyOf(message.call))
      })
    )

    it.effect("that is larger than a body may be is dead, as any other body", () =>
      Effect.gen(function* () {
        const never = answering(Effect.dieMessage("nothing may be sent"))
        const { perform } = yield* SendEmail.make({ maxBody: 300 }).prepare(message.call)
        expect(yield* Effect.flip(Effect.provide(perform(attempt), never))).toMatchObject({
          verdict: "Permanent",
          reason: "body: more than 300 octets"
        })
      })
    )

    it.effect("that has no bytes is dead, and one in another place is refused", () =>
      Effect.gen(function* () {
        const [config, recipient, subject, body] = message.call.args
        const never = answering(Effect.dieMessage("nothing may be sent"))
        const why = (call: Job.Call) => Effect.flip(Effect.provide(perform(call), never))
        const headers = [Tuple.make(["Content-Type", "text/plain\nBcc: evil@evil.example"])]
        const tree = body instanceof Instance ? body : expect.fail("no tree")
        const hostile = new Instance(tree.module, tree.name, [])
        hostile.state = { ...tree.state, _headers: headers }
        expect(yield* why({ args: [config, recipient, subject, hostile], kwargs: {} })).toMatchObject({
          verdict: "Permanent",
          reason: "body: MIME tree: header Content-Type"
        })
        expect((yield* why({ args: [config, body, subject, "x"], kwargs: {} }))._tag).toBe("ParseError")
        expect((yield* why({ args: [config, recipient, body, "x"], kwargs: {} }))._tag).toBe("ParseError")
      })
    )
  })

  it.live("reaches a real mail server both ways", () =>
    Effect.gen(function* () {
      const { authenticated, take } = yield* SmtpService.TestSmtpServer
      yield* Effect.forkScoped(Worker.run(jobs))
      yield* send({ ...authenticated, enqueueJob: false })
      yield* send(authenticated)
      const mails = yield* take(2)
      for (const received of mails) {
        const headers = new Map(received.headers)
        expect(received).toMatchObject({ from: "mfa@example.org", recipients: mail.recipient, text: "493817\r\n" })
        expect(headers.get("subject")).toBe(mail.subject)
        expect(headers.get("content-type")).toBe("text/html; charset=utf-8")
      }
      expect((yield* Effect.flatMap(JobStore, (store) => store.counts)).dead).toBe(0)
    }).pipe(
      Effect.scoped,
      Effect.provide([
        Logger.remove(Logger.defaultLogger),
        Memory.layer(),
        SmtpService.layer({ tls: "StartTls", auth: "Required" }),
        Layer.provide(Smtp.layer, Layer.succeed(EncKey.EncKey, { decrypt: Effect.succeed }))
      ])
    )
  )
})
