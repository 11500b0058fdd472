/**
 * Compositions that must not compile. Each expected error fails the type check where it is none.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as EdumfaConfig from "../src/EdumfaConfig.ts"
import * as Job from "../src/Job.ts"
import * as ConfiguredQueue from "../src/JobQueue/Configured.ts"
import * as NoneQueue from "../src/JobQueue/None.ts"
import { JobQueue } from "../src/JobQueue.ts"
import * as Recording from "../src/Mailer/Recording.ts"
import type { Mail, Mailer } from "../src/Mailer.ts"
import * as Memory from "../src/Memory.ts"
import * as SendEmail from "../src/SendEmail.ts"
import type { SmtpServer } from "../src/SmtpServer.ts"
import * as Worker from "../src/Worker.ts"

declare const server: SmtpServer
declare const mail: Mail

class Diary extends Context.Tag("test/Diary")<Diary, string>() {}

const note = Job.make({ name: "note", params: [], args: Schema.Struct({}), run: () => Effect.asVoid(Diary) })

/** Jobs whose handlers need different things. */
export const both: Job.Jobs<Mailer | Diary> = Job.jobs(SendEmail.job, note)

const jobs = Job.jobs(SendEmail.job)
const worker = Worker.layer(jobs)
const none = NoneQueue.layer(jobs)
const config = EdumfaConfig.layerValues({})

/** What has everything it needs. */
const whole = <A, E>(layer: Layer.Layer<A, E>) => layer

export const compiles = [
  whole(worker.pipe(Layer.provide([Memory.layer(), Recording.layer]))),
  whole(ConfiguredQueue.layer(jobs).pipe(Layer.provide([config, Recording.layer]))),
  whole(none.pipe(Layer.provide(Recording.layer)))
]

// @ts-expect-error: without a queue there is no store that a worker could take from
whole(worker.pipe(Layer.provide([none, Recording.layer]), Layer.provide(Recording.layer)))

// @ts-expect-error: the jobs of the worker need a Mailer
whole(worker.pipe(Layer.provide(Memory.layer())))

// @ts-expect-error: whatever the configuration chooses, None performs the jobs, which need a Mailer
whole(ConfiguredQueue.layer(jobs).pipe(Layer.provide(config)))

export const needs = Effect.gen(function* () {
  const queue = yield* JobQueue
  // Whoever enqueues needs nothing of what the handler needs.
  const enqueued: Effect.Effect<string, unknown> = queue.enqueue(SendEmail.job, {
    config: {},
    recipient: "ada@example.org",
    subject: "",
    body: ""
  })
  yield* enqueued
  // @ts-expect-error: a recipient is no number
  yield* queue.enqueue(SendEmail.job, { config: {}, recipient: 1, subject: "", body: "" })
  // @ts-expect-error: the body is missing
  yield* queue.enqueue(SendEmail.job, { config: {}, recipient: "ada@example.org", subject: "" })
  // @ts-expect-error: a mail has no attachments
  yield* SendEmail.sendEmail(server, { ...mail, attachments: [] })
  // @ts-expect-error: the server's definition comes first
  yield* SendEmail.sendEmail(mail, server)
})

// @ts-expect-error: a direct mail needs a Mailer even beside a queue
export const direct: Effect.Effect<unknown, unknown, JobQueue> = SendEmail.sendEmail(server, mail)
