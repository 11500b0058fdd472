/**
 * Shows the whole thing working: logins at a small MFA server without and with the queue, in front of a mail server that
 * takes 300 ms for each reply and refuses some mails; and each mail to its end. Ends with 0 only if all went as it should.
 */
import { parseArgs } from "node:util"
import * as HttpClient from "@effect/platform/HttpClient"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as EncKey from "../src/EdumfaConfig/EncKey.ts"
import * as Job from "../src/Job.ts"
import { JobStore } from "../src/JobStore.ts"
import * as Smtp from "../src/Mailer/Smtp.ts"
import * as Format from "../src/QueueLogger/Format.ts"
import * as SendEmail from "../src/SendEmail.ts"
import type { SmtpServer } from "../src/SmtpServer.ts"
import * as Worker from "../src/Worker.ts"
import * as MailServer from "./demo/MailServer.ts"
import * as MfaServer from "./demo/MfaServer.ts"
import * as Queue from "./demo/queue.ts"

/** Milliseconds before each reply of the mail server. */
const delay = 300

/** What a login through the queue may take, half of the time: less than one reply of the mail server. */
const bar = 300

const direct = ["anna", "ben", "carla", "david"]
const queued = ["ada", "bob", "cleo", "dora", "emil", "busy", "gone"]

/** How each mail has to end. */
const expected = new Map(
  [...direct, ...queued].map((user) => [
    user,
    user === "gone" ? "refused for good (550)" : user === "busy" ? "delivered after 2 refusals (451)" : "delivered"
  ])
)

const median = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** One after another, so that each is measured alone. */
const logins = Effect.fnUntraced(function* (way: "direct" | "queued", users: ReadonlyArray<string>) {
  const base = yield* MfaServer.url
  return yield* Effect.forEach(users, (user) =>
    HttpClient.post(`${base}/${way}/${user}`).pipe(
      Effect.filterOrFail(
        (response) => response.status === 200,
        (response) => new Error(`the login of ${user} answered ${response.status}`)
      ),
      Effect.flatMap((response) => response.text),
      Effect.timed,
      Effect.map(([took]) => Math.round(Duration.toMillis(took)))
    )
  )
})

/** How the mail to a user ended, by what the mail server saw. */
const ending = (user: string, events: ReadonlyArray<MailServer.Event>): string => {
  const codes = events.filter((event) => event.recipient === `${user}@example.org`).map((event) => event.code)
  const count = (code: number) => codes.filter((it) => it === code).length
  if (count(250) > 1) return `delivered ${count(250)} times`
  if (count(250) === 1) return count(451) === 0 ? "delivered" : `delivered after ${count(451)} refusals (451)`
  return count(550) > 0 ? "refused for good (550)" : "not delivered"
}

/** Until nothing waits, is in hand or is to be tried again. */
const settled = Effect.flatMap(JobStore, (store) => store.counts).pipe(
  Effect.filterOrFail(
    ({ waiting, scheduled, inHand, retrying }) => waiting + scheduled + inHand + retrying === 0,
    () => new Error("some mails have not ended after 20 seconds")
  ),
  Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.upTo("20 seconds")))
)

const row = (way: string, millis: ReadonlyArray<number>) =>
  `  ${way.padEnd(18)}${[median(millis), Math.min(...millis), Math.max(...millis)].map((it) => `${it} ms`.padStart(9)).join("")}`

const format = Format.make({ pid: process.pid, stacks: false })

/** The worker's lines, set apart from those of the demonstration. */
const logger = Logger.replace(
  Logger.defaultLogger,
  Logger.map(Logger.make(format.record), (line) => process.stdout.write(`  ${line}\n`))
)

const show = Effect.fnUntraced(function* (events: Effect.Effect<ReadonlyArray<MailServer.Event>>) {
  yield* Console.log(`\n${direct.length} logins without the queue, then ${queued.length} with it; the worker's log:`)
  const without = yield* logins("direct", direct)
  const withQueue = yield* logins("queued", queued)
  const { dead } = yield* settled
  const seen = yield* events
  yield* Console.log("\nLogin time          median       min       max")
  yield* Console.log([row("without the queue", without), row("with the queue", withQueue)].join("\n"))
  yield* Console.log("\nMails")
  const wrong: Array<string> = []
  for (const [user, wanted] of expected) {
    const end = ending(user, seen)
    if (end !== wanted) wrong.push(`the mail to ${user} should have been ${wanted}, it was ${end}`)
    yield* Console.log(`  ${user.padEnd(8)}${end}`)
  }
  if (dead !== 1) wrong.push(`there should be 1 dead letter, there are ${dead}`)
  if (median(withQueue) >= bar) wrong.push(`half of the queued logins should take less than ${bar} ms`)
  for (const line of wrong) yield* Console.error(`WRONG: ${line}`)
  if (wrong.length > 0) return yield* Effect.fail(new Error("not everything went as it should"))
  yield* Console.log("\nEvery mail ended as it should.")
})

/** The whole composition: this is what an MFA server writes. */
const compose = (server: SmtpServer, queue: Queue.Chosen["layer"]) => {
  const mailer = Smtp.layerOptions({ ehlo: "localhost" }).pipe(Layer.provide(EncKey.layer("/etc/edumfa/enckey")))
  return MfaServer.layer(server).pipe(
    Layer.merge(Worker.layer(Job.jobs(SendEmail.job))),
    Layer.provideMerge(Layer.merge(queue, mailer))
  )
}

const { values } = parseArgs({ options: { redis: { type: "string" }, memory: { type: "boolean", default: false } } })

const main = Effect.gen(function* () {
  const mails = yield* MailServer.make({ delay, busy: { "busy@example.org": 2 }, gone: ["gone@example.org"] })
  const queue = yield* Queue.choose({ redis: values.redis, memory: values.memory })
  yield* Console.log(`Mail server: ${delay} ms for each reply, on loopback\nQueue: ${queue.name}`)
  const server: SmtpServer = {
    identifier: "demo",
    host: "127.0.0.1",
    port: mails.port,
    tls: "Opportunistic",
    sender: "MFA <mfa@example.org>",
    timeout: 10_000,
    enqueueJob: true
  }
  yield* Effect.provide(show(mails.events), compose(server, queue.layer))
}).pipe(Effect.scoped)

main.pipe(
  Effect.catchAll((error) =>
    Effect.zipRight(
      Console.error(error.message),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )
  ),
  Effect.provide([NodeContext.layer, NodeHttpClient.layer, logger]),
  NodeRuntime.runMain({ disablePrettyLogger: true })
)
