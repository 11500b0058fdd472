/**
 * A site: the configuration file that its server and our worker share, and the mails that its server enqueues.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Huey from "../../src/Huey.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import type { EnqueueOptions } from "../../src/JobQueue.ts"
import * as Recording from "../../src/Mailer/Recording.ts"
import type { Mail } from "../../src/Mailer.ts"
import * as Redis from "../../src/Redis.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type * as SmtpServer from "./SmtpServer.ts"

/** The file, with more lines behind the standard ones. */
export const queueCfg = (port: number, more = "EDUMFA_QUEUE_WORKER_GRACE = 1") => `
EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue'
EDUMFA_JOB_QUEUE_URL = 'redis://127.0.0.1:${port}/0'
${more}
`

/** Enqueues mails as an MFA server does; answers when all are on the queue. */
export const enqueueAll = (
  port: number,
  server: Pick<Context.Tag.Service<SmtpServer.TestSmtpServer>, "definition">,
  mails: ReadonlyArray<Mail>,
  options: EnqueueOptions = {}
) =>
  Effect.forEach(mails, (mail) => SendEmail.sendEmail(server.definition, mail, options), { concurrency: 16 }).pipe(
    Effect.provide(RedisQueue.layer({ queueName: "huey", codec: Huey.make() })),
    Effect.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 })),
    Effect.provide(Recording.layer)
  )

/** Enqueues one. */
export const enqueue = (port: number, server: Parameters<typeof enqueueAll>[1], mail: Mail) =>
  enqueueAll(port, server, [mail])

export const mail: Mail = { recipient: "ada@example.org", subject: "Your code", body: "493817" }
