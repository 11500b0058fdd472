/**
 * The mailer over SMTP with what the configuration says of it.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { normalizeDomain } from "../Domain.ts"
import * as EncKey from "../EdumfaConfig/EncKey.ts"
import * as RegularFile from "../EdumfaConfig/RegularFile.ts"
import { EdumfaConfig, EdumfaConfigError } from "../EdumfaConfig.ts"
import type { Mailer } from "../Mailer.ts"
import { type BreakerStore, layerMemory } from "./Breaker/BreakerStore.ts"
import type * as Breaker from "./Breaker.ts"
import { layerShared as layerKnown } from "./Known.ts"
import * as Probe from "./Probe.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import * as Smtp from "./Smtp.ts"

const serversKey = "EDUMFA_QUEUE_WORKER_SMTP"

/** In the same table: no mail server beside those in it gets a password. */
const onlyKey = "only"

/** What may be said of a mail server. */
const optionNames = ["verify", "ca", "allow_plaintext_auth", "connections"]

const isAddress = (server: string) => {
  const port = Number(/^(?:\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(server)?.[1] ?? 0)
  return port > 0 && port <= 65_535
}

/** Each mail server with the names of its options: whatever is misspelt would be without effect, unseen. */
const names = Config.hashMap(Config.hashMap(Config.string()), serversKey).pipe(
  Config.withDefault(HashMap.empty<string, HashMap.HashMap<string, string>>()),
  Config.mapOrFail((servers) => {
    const refuse = (message: string) => Either.left(ConfigError.InvalidData([serversKey], message))
    for (const [server, options] of servers) {
      if (server === onlyKey) continue
      if (!isAddress(server)) return refuse("each mail server is written as 'host:port'")
      for (const name of HashMap.keys(options)) {
        if (!optionNames.includes(name)) return refuse(`the options of a mail server are ${optionNames.join(", ")}`)
      }
    }
    return Either.right(servers)
  })
)

const options = Config.all({
  verify: Config.option(Config.boolean("verify")),
  ca: Config.option(Config.nonEmptyString("ca")),
  allowPlaintextAuth: Config.option(Config.boolean("allow_plaintext_auth")),
  connections: Config.integer("connections").pipe(
    Config.validate({ message: "expected a number from 1", validation: (count) => count >= 1 }),
    Config.option
  )
})

const only = Config.withDefault(Config.nested(Config.boolean(onlyKey), serversKey), false)

/** The options in the table; beside a dict of them only True and False are let through, for {@link onlyKey}. */
const servers = Config.hashMap(
  Config.orElse(Config.option(options), () => Config.map(Config.boolean(), () => Option.none())),
  serversKey
).pipe(
  Config.withDefault(HashMap.empty<string, Option.Option<Config.Config.Success<typeof options>>>()),
  Config.mapOrFail((entries) => {
    const listed = HashMap.remove(entries, onlyKey)
    return HashMap.some(listed, Option.isNone)
      ? Either.left(ConfigError.InvalidData([serversKey], "the options of a mail server are a dict"))
      : Either.right(HashMap.compact(listed))
  })
)

/**
 * EDUMFA_QUEUE_WORKER_EHLO: the name in EHLO. EDUMFA_QUEUE_WORKER_SMTP: options of mail servers by `host:port`, each of
 * `verify`, `ca` (a path), `allow_plaintext_auth` and `connections` (at most so many); other options are refused. With
 * `'only': True` beside them no other mail server gets a password.
 */
export const config = Config.all({
  ehlo: Config.string("EDUMFA_QUEUE_WORKER_EHLO").pipe(
    Config.validate({
      message: "expected a host name or an address in brackets",
      validation: (name) => name.length <= 255 && normalizeDomain(name) === name
    }),
    Config.option
  ),
  // In this order: the first to fail says the most.
  table: Config.map(Config.all([only, names, servers]), ([only, , servers]) => ({ only, servers }))
})

const readCertificates = (server: string, path: string) =>
  RegularFile.read(path).pipe(
    Effect.mapError(
      (cause) =>
        new EdumfaConfigError({
          reason: "Unreadable",
          detail: `${serversKey}: the certificates of ${server} cannot be read from ${path} (${RegularFile.reason(cause)})`,
          cause
        })
    ),
    Effect.map((bytes) => Buffer.from(bytes).toString()),
    Effect.filterOrFail(
      (text) => text.includes("-----BEGIN CERTIFICATE-----"),
      () =>
        new EdumfaConfigError({
          reason: "Invalid",
          detail: `${serversKey}: ${path} holds no certificates (PEM) for ${server}`
        })
    )
  )

const make = Effect.gen(function* () {
  const { get } = yield* EdumfaConfig
  const {
    ehlo,
    table: { only, servers }
  } = yield* get(config)
  const entries = yield* Effect.forEach(servers, ([server, { verify, ca, allowPlaintextAuth, connections }]) =>
    Effect.gen(function* () {
      const options: ServerOptions = {
        ...(Option.isSome(verify) ? { verify: verify.value } : {}),
        ...(Option.isSome(ca) ? { ca: yield* readCertificates(server, ca.value) } : {}),
        ...(Option.isSome(allowPlaintextAuth) ? { allowPlaintextAuth: allowPlaintextAuth.value } : {}),
        ...(Option.isSome(connections) ? { connections: connections.value } : {})
      }
      return [server.toLowerCase(), options] as const
    })
  )
  return {
    servers: new Map(entries),
    ...(only ? { others: { login: false } } : {}),
    ...(Option.isSome(ehlo) ? { ehlo: ehlo.value } : {})
  } satisfies Smtp.Options
})

/** With the key file and the servers known before that the configuration names. */
const configured = <A>(layer: Layer.Layer<A, never, EncKey.EncKey | BreakerStore>) =>
  Effect.map(Effect.context<EdumfaConfig | FileSystem.FileSystem>(), (context) =>
    layer.pipe(
      Layer.provide(EncKey.layerConfig),
      Layer.provide(layerKnown),
      Layer.provide(Layer.succeedContext(context))
    )
  )

/** The layer, with its whole configuration read; `breaker`: what it is for. */
export const choose = (
  breaker: Breaker.Options = {}
): Effect.Effect<Layer.Layer<Mailer, never, BreakerStore>, EdumfaConfigError, EdumfaConfig | FileSystem.FileSystem> =>
  Effect.flatMap(make, (options) => configured(Smtp.layerShared({ ...options, breaker })))

/** The same for one who only asks mail servers how they are. */
export const chooseProbe: Effect.Effect<
  Layer.Layer<Probe.Probe, never, BreakerStore>,
  EdumfaConfigError,
  EdumfaConfig | FileSystem.FileSystem
> = Effect.flatMap(make, (options) => configured(Probe.layer(options)))

/** Opens no connection before its first mail; its breakers are its own. */
export const layer: Layer.Layer<Mailer, EdumfaConfigError, EdumfaConfig | FileSystem.FileSystem> = Layer.provide(
  Layer.unwrapEffect(choose()),
  layerMemory
)
