/**
 * Finds the one configuration file, as eduMFA does.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as CfgFile from "./CfgFile.ts"
import { EdumfaConfigError } from "./EdumfaConfigError.ts"
import type { Environment } from "./Environment.ts"
import * as keys from "./keys.ts"
import * as RegularFile from "./RegularFile.ts"

/** The file and whose names its keys have. */
export interface ConfigFile {
  readonly path: string
  readonly cfg: CfgFile.CfgFile
  readonly product: keys.Product
}

const edumfaPath = "/etc/edumfa/edumfa.cfg"
const containerPath = "/opt/edumfa/edumfa_config.py"
const privacyIdeaPath = "/etc/privacyidea/pi.cfg"

const notEmpty = (text: Option.Option<string>) => Option.filter(text, (path) => path !== "")

/**
 * A file that somebody names may be either server's: one with privacyIDEA's keys and none of eduMFA's is privacyIDEA's, and
 * one with neither `standard`'s.
 */
const productOf = ({ assignments }: CfgFile.CfgFile, standard: keys.Product): keys.Product => {
  const names = [...assignments.keys()].filter((name) => !name.startsWith(keys.workerPrefix))
  if (names.some((name) => name.startsWith("EDUMFA_"))) return "eduMFA"
  return names.some((name) => name.startsWith("PI_")) ? "privacyIDEA" : standard
}

/** Reads a file; none: there is no such file. */
const read = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* RegularFile.read(path).pipe(
    Effect.asSome,
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "NotFound",
      () => Effect.succeedNone
    ),
    Effect.mapError(
      (cause) =>
        new EdumfaConfigError({
          reason: "Unreadable",
          detail: `${path} cannot be read (${RegularFile.reason(cause)})`,
          cause
        })
    )
  )
  if (Option.isNone(bytes)) return Option.none()
  const cfg = yield* Either.mapLeft(
    Either.flatMap(CfgFile.decode(bytes.value), CfgFile.parse),
    (cause) => new EdumfaConfigError({ reason: "Syntax", detail: `${path}, ${cause.message}`, cause })
  )
  return Option.some({ path, cfg })
})

const named = (path: string, by: string, standard: keys.Product) =>
  Effect.flatMap(
    read(path),
    Option.match({
      onSome: ({ cfg }) => Effect.succeed(Option.some<ConfigFile>({ path, cfg, product: productOf(cfg, standard) })),
      onNone: () =>
        Effect.fail(new EdumfaConfigError({ reason: "NotFound", detail: `${path} does not exist; ${by} names it` }))
    })
  )

/**
 * The file that the option names; else the one that EDUMFA_CONFIGFILE names; else eduMFA's own, in a container the
 * container's if there is no other; else the one that PRIVACYIDEA_CONFIGFILE names; else privacyIDEA's own. Only a file
 * that somebody named has to exist. `standard`: whose it is where its keys do not tell.
 */
export const find = Effect.fn("EdumfaConfig.find")(function* (
  option: Option.Option<string>,
  environment: Environment,
  standard: keys.Product
) {
  if (Option.isSome(option)) return yield* named(option.value, "--config", standard)
  const variable = notEmpty(yield* environment.variable("EDUMFA_CONFIGFILE"))
  if (Option.isSome(variable)) return yield* named(variable.value, "EDUMFA_CONFIGFILE", standard)

  const inContainer = Option.contains(yield* environment.variable("__EDUMFA_RUNNING_IN_CONTAINER"), "1")
  for (const path of inContainer ? [edumfaPath, containerPath] : [edumfaPath]) {
    const file = yield* read(path)
    if (Option.isSome(file)) return Option.some<ConfigFile>({ ...file.value, product: "eduMFA" })
  }

  const privacyIdea = notEmpty(yield* environment.variable("PRIVACYIDEA_CONFIGFILE"))
  const file = Option.isSome(privacyIdea)
    ? yield* named(privacyIdea.value, "PRIVACYIDEA_CONFIGFILE", "privacyIDEA")
    : yield* read(privacyIdeaPath)
  return Option.map(file, ({ path, cfg }): ConfigFile => ({ path, cfg, product: "privacyIDEA" }))
})

/** privacyIDEA's file, where it is there beside eduMFA's that is read; a file that was named has no rival. */
export const passedBy = Effect.fnUntraced(function* (found: ConfigFile, environment: Environment) {
  if (![edumfaPath, containerPath].includes(found.path)) return Option.none()
  const named = notEmpty(yield* environment.variable("PRIVACYIDEA_CONFIGFILE"))
  const path = Option.getOrElse(named, () => privacyIdeaPath)
  const isThere = yield* Effect.isSuccess(RegularFile.check(path))
  return isThere ? Option.some(path) : Option.none()
})
