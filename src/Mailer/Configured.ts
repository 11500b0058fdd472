/**
 * The mailer over SMTP with what the configuration says of it.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as EncKey from "../EdumfaConfig/EncKey.ts"
import { EdumfaConfig, EdumfaConfigError } from "../EdumfaConfig.ts"
import type { Mailer } from "../Mailer.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import * as Smtp from "./Smtp.ts"

const serversKey = "EDUMFA_QUEUE_WORKER_SMTP"

/**
 * EDUMFA_QUEUE_WORKER_EHLO: the name in EHLO. EDUMFA_QUEUE_WORKER_SMTP: options of mail servers by `host:port`, each of
 * `verify`, `ca` (a path) and `allow_plaintext_auth`.
 */
export const config = Config.all({
  ehlo: Config.option(Config.nonEmptyString("EDUMFA_QUEUE_WORKER_EHLO")),
  servers: Config.hashMap(
    Config.all({
      verify: Config.option(Config.boolean("verify")),
      ca: Config.option(Config.nonEmptyString("ca")),
      allowPlaintextAuth: Config.option(Config.boolean("allow_plaintext_auth"))
    }),
    serversKey
  ).pipe(Config.withDefault(HashMap.empty()))
})

const readCertificates = (server: string, path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path)).pipe(
    Effect.mapError(
      (cause) =>
        new EdumfaConfigError({
          reason: "Unreadable",
          detail: `${serversKey}: the certificates of ${server} cannot be read from ${path}: ${cause.message}`,
          cause
        })
    )
  )

const make = Effect.gen(function* () {
  const { get } = yield* EdumfaConfig
  const { ehlo, servers } = yield* get(config)
  const entries = yield* Effect.forEach(servers, ([server, { verify, ca, allowPlaintextAuth }]) =>
    Effect.gen(function* () {
      const options: ServerOptions = {
        ...(Option.isSome(verify) ? { verify: verify.value } : {}),
        ...(Option.isSome(ca) ? { ca: yield* readCertificates(server, ca.value) } : {}),
        ...(Option.isSome(allowPlaintextAuth) ? { allowPlaintextAuth: allowPlaintextAuth.value } : {})
      }
      return [server.toLowerCase(), options] as const
    })
  )
  return { servers: new Map(entries), ...(Option.isSome(ehlo) ? { ehlo: ehlo.value } : {}) } satisfies Smtp.Options
})

/** The layer, with its whole configuration read. */
export const choose: Effect.Effect<
  Layer.Layer<Mailer>,
  EdumfaConfigError,
  EdumfaConfig | FileSystem.FileSystem
> = Effect.gen(function* () {
  const options = yield* make
  const context = yield* Effect.context<EdumfaConfig | FileSystem.FileSystem>()
  return Smtp.layerOptions(options).pipe(
    Layer.provide(EncKey.layerConfig),
    Layer.provide(Layer.succeedContext(context))
  )
})

/** Opens no connection before its first mail. */
export const layer: Layer.Layer<Mailer, EdumfaConfigError, EdumfaConfig | FileSystem.FileSystem> =
  Layer.unwrapEffect(choose)
