/**
 * A small MFA server over HTTP: a login mails a one-time code, directly or through the queue.
 */
import { createServer } from "node:http"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as SendEmail from "../../src/SendEmail.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"

/** What a one-time code lives; its mail is worth nothing later. */
const validity = "120 seconds"

const login = (server: SmtpServer) =>
  Effect.gen(function* () {
    const { user = "" } = yield* HttpRouter.params
    const code = yield* Random.nextIntBetween(100_000, 1_000_000)
    const mail = {
      recipient: `${user}@example.org`,
      subject: "Your one-time password",
      body: `Your code is ${code}. It is valid for two minutes.`
    }
    yield* SendEmail.sendEmail(server, mail, { expires: validity })
    return yield* HttpServerResponse.json({ message: "enter the code from the mail" })
  })

/** POST /direct/:user and /queued/:user, on a free port of loopback. */
export const layer = (server: SmtpServer) =>
  HttpRouter.empty.pipe(
    HttpRouter.post("/direct/:user", login({ ...server, enqueueJob: false })),
    HttpRouter.post("/queued/:user", login({ ...server, enqueueJob: true })),
    HttpServer.serve(),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  )

/** Where it listens. */
export const url: Effect.Effect<string, never, HttpServer.HttpServer> = HttpServer.addressFormattedWith(Effect.succeed)
