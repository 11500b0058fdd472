/**
 * The MFA server of the demonstration, in front of the fast mail server.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MfaServer from "../../../bin/demo/MfaServer.ts"
import { EncKey, Huey, Redis, RedisQueue, SmtpMailer, type SmtpServer } from "../../../src/index.ts"
import * as Program from "./Program.ts"

const { redisPort, smtpPort } = Program.options<Program.ServerOptions>()

const mailServer: SmtpServer.SmtpServer = {
  identifier: "mail",
  host: "127.0.0.1",
  port: smtpPort,
  tls: "Opportunistic",
  sender: "MFA <mfa@example.org>",
  timeout: 10_000,
  enqueueJob: true
}

const queue = Layer.provide(
  RedisQueue.layer({ queueName: "huey", codec: Huey.make() }),
  Redis.layer({ host: "127.0.0.1", port: redisPort, db: 0 })
)
const mailer = Layer.provide(SmtpMailer.layerOptions({ ehlo: "localhost" }), EncKey.layer("/etc/edumfa/enckey"))

const server = MfaServer.layer(mailServer).pipe(
  Layer.provide(Layer.merge(queue, mailer)),
  Layer.provide(NodeContext.layer)
)

/** Tells its port and runs on. */
const main = Effect.flatMap(MfaServer.url, (url) => {
  Program.tell({ port: Number(new URL(url).port) })
  return Effect.never
})

NodeRuntime.runMain(Effect.provide(main, server), { disablePrettyLogger: true })
