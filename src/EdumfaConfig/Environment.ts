/**
 * Settings from the environment: `KEY`, or `KEY_FILE` with the name of a file that holds the value.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EdumfaConfigError } from "./EdumfaConfigError.ts"
import * as RegularFile from "./RegularFile.ts"

/** A value and the variable it came from. */
interface Variable {
  readonly name: string
  readonly text: string
}

export interface Environment {
  /** One variable as it is. */
  readonly variable: (name: string) => Effect.Effect<Option.Option<string>, EdumfaConfigError>
  /** The name of the variable that gives this key. */
  readonly giving: (key: string) => Effect.Effect<Option.Option<string>, EdumfaConfigError>
  readonly setting: (key: string) => Effect.Effect<Option.Option<Variable>, EdumfaConfigError>
}

/** No variables at all. */
export const none: Environment = {
  variable: () => Effect.succeedNone,
  giving: () => Effect.succeedNone,
  setting: () => Effect.succeedNone
}

/** An empty URL names nothing, as for huey; an empty name of a file neither. Other empty values are values. */
const isGiven = (name: string, text: string) => text !== "" || !/_(?:URL|FILE)$/.test(name)

const readSecret = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, name: string, path: string) {
  const read = Effect.provideService(RegularFile.read(path), FileSystem.FileSystem, fs)
  const bytes = yield* Effect.mapError(read, (cause) => {
    const missing = cause._tag === "SystemError" && cause.reason === "NotFound"
    const why = missing ? "does not exist" : `cannot be read (${RegularFile.reason(cause)})`
    const detail = `environment: ${name}: ${path} ${why}`
    return new EdumfaConfigError({ reason: missing ? "NotFound" : "Unreadable", detail, cause })
  })
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: (cause) =>
      new EdumfaConfigError({ reason: "Unreadable", detail: `environment: ${name}: ${path} is not UTF-8`, cause })
  })
  // Editors and `echo` end the last line.
  return text.replace(/\r?\n$/, "")
})

/** The ambient ConfigProvider as environment: the variables of the process unless a test puts another in its place. */
export const make: Effect.Effect<Environment, never, FileSystem.FileSystem> = Effect.configProviderWith((provider) =>
  Effect.map(FileSystem.FileSystem, (fs) => {
    const look = (name: string) =>
      Effect.mapError(
        provider.load(Config.option(Config.string(name))),
        (cause) => new EdumfaConfigError({ reason: "Unreadable", detail: `environment: ${name} cannot be read`, cause })
      ).pipe(Effect.map(Option.filter((text) => isGiven(name, text))))
    // Most are asked for again and again, and none changes.
    const known = new Map<string, Option.Option<string>>()
    const variable = (name: string) =>
      Effect.suspend(() => {
        const found = known.get(name)
        return found === undefined
          ? Effect.tap(look(name), (it) => {
              known.set(name, it)
            })
          : Effect.succeed(found)
      })

    const find = Effect.fnUntraced(function* (key: string) {
      const direct = yield* variable(key)
      const file = yield* variable(`${key}_FILE`)
      if (Option.isSome(direct) && Option.isSome(file)) {
        const detail = `environment: ${key} and ${key}_FILE are both set; keep one of them`
        return yield* new EdumfaConfigError({ reason: "OverDetermined", detail })
      }
      return { direct, file }
    })

    return {
      variable,
      giving: (key) =>
        Effect.map(find(key), ({ direct, file }) =>
          Option.orElse(Option.as(direct, key), () => Option.as(file, `${key}_FILE`))
        ),
      setting: (key) =>
        Effect.flatMap(find(key), ({ direct, file }) =>
          Option.isSome(file)
            ? Effect.map(readSecret(fs, `${key}_FILE`, file.value), (text) =>
                Option.some({ name: `${key}_FILE`, text })
              )
            : Effect.succeed(Option.map(direct, (text) => ({ name: key, text })))
        )
    }
  })
)
