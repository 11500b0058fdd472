/**
 * All that the configuration says, and all that is wrong with it.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as EncKey from "../../EdumfaConfig/EncKey.ts"
import type { Product } from "../../EdumfaConfig/keys.ts"
import * as RegularFile from "../../EdumfaConfig/RegularFile.ts"
import { EdumfaConfig, EdumfaConfigError } from "../../EdumfaConfig.ts"
import type * as Huey from "../../Huey.ts"
import * as Job from "../../Job.ts"
import * as ConfiguredStore from "../../JobStore/Configured.ts"
import type { JobStore } from "../../JobStore.ts"
import type { BreakerStore } from "../../Mailer/Breaker/BreakerStore.ts"
import { layerMemory } from "../../Mailer/Breaker/BreakerStore.ts"
import * as ConfiguredBreakers from "../../Mailer/Breaker/Configured.ts"
import * as ConfiguredMailer from "../../Mailer/Configured.ts"
import type * as Probe from "../../Mailer/Probe.ts"
import type * as Mailer from "../../Mailer.ts"
import * as QueueLogger from "../../QueueLogger.ts"
import * as SendEmail from "../../SendEmail.ts"
import * as Worker from "../../Worker.ts"
import { urlKey } from "../remedy.ts"
import * as Zone from "../zone.ts"

/** What could be read; undefined: something about it is wrong. */
export interface Settings {
  /** The file that was read. */
  readonly source: string
  /** Whose it is. */
  readonly product: Product
  /** How it was read, one line each. */
  readonly notes: ReadonlyArray<string>
  /** The key that names Redis, as it is called there. */
  readonly urlKey: string
  readonly store: Layer.Layer<JobStore> | undefined
  readonly probe: Layer.Layer<Probe.Probe> | undefined
  readonly codec: Huey.Codec | undefined
  /** So many messages of an old backlog are taken unasked. */
  readonly firstBacklog: number | undefined
  readonly jobs: Job.Jobs<Mailer.Mailer>
  readonly isKeyFileUsable: boolean
  /** One line each, with what to write. */
  readonly problems: ReadonlyArray<string>
}

/** What to write where the error does not say so itself. */
const keyFileRemedy = ({ cause, reason }: EncKey.EncKeyError, nameOf: (key: string) => string): string => {
  if (cause instanceof EdumfaConfigError || reason === "SecurityModule") return ""
  if (reason === "Unreadable" && !(cause instanceof RegularFile.NotRegular))
    return "; let the user of the worker read it"
  return `; write ${nameOf("EDUMFA_ENCFILE")} = '/path/of/enckey'`
}

/** Reads everything that a worker reads, one after the other, whatever is wrong before. */
export const read: Effect.Effect<Settings, never, EdumfaConfig | FileSystem.FileSystem> = Effect.gen(function* () {
  const { check, get, nameOf, notes, product, source } = yield* EdumfaConfig
  const problems = new Set<string>()
  const note = (errors: ReadonlyArray<Error>) => {
    for (const { message } of errors) problems.add(message)
  }
  /** `all`: all that is wrong, where the effect fails with the first of it. */
  const attempt = <A, E extends Error, R>(
    effect: Effect.Effect<A, E, R>,
    all: Effect.Effect<ReadonlyArray<Error>, never, EdumfaConfig | FileSystem.FileSystem> = Effect.succeed([])
  ) =>
    Effect.flatMap(Effect.either(effect), (result) =>
      Either.isRight(result)
        ? Effect.succeed(result.right)
        : Effect.map(all, (errors) => {
            note(errors.length === 0 ? [result.left] : errors)
            return undefined
          })
    )
  const store = yield* attempt(ConfiguredStore.choose, ConfiguredStore.check)
  const breakers: Layer.Layer<BreakerStore> = (yield* attempt(ConfiguredBreakers.choose)) ?? layerMemory
  const probe = yield* attempt(ConfiguredMailer.chooseProbe, ConfiguredMailer.check)
  const worker = yield* attempt(get(Worker.config), check(Worker.config))
  note(yield* check(QueueLogger.config))
  note(yield* check(SendEmail.config))
  // A zone that cannot be read is wrong, and told with the rest of the store.
  const doubts = yield* Effect.orElseSucceed(Zone.doubts, () => [])
  const keyFile = yield* Effect.either(EncKey.check)
  if (Either.isLeft(keyFile)) problems.add(`${keyFile.left.message}${keyFileRemedy(keyFile.left, nameOf)}`)
  return {
    source,
    product,
    notes: [...notes, ...doubts],
    urlKey: yield* urlKey,
    store,
    probe: probe === undefined ? undefined : Layer.provide(probe, breakers),
    codec: worker?.codec,
    firstBacklog: worker?.firstBacklog,
    jobs: Job.jobs(SendEmail.job),
    isKeyFileUsable: Either.isRight(keyFile),
    problems: [...problems]
  }
})
