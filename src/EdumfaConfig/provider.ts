/**
 * Settings as an Effect ConfigProvider, and its errors as lines that name file, line and key.
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as PathPatch from "effect/ConfigProviderPathPatch"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import { isDict, type Literal } from "./CfgFile/Literal.ts"
import * as CfgFile from "./CfgFile.ts"
import { EdumfaConfigError } from "./EdumfaConfigError.ts"
import * as keys from "./keys.ts"
import type { Setting, Settings } from "./Settings.ts"

type Path = ReadonlyArray<string>

const missing = (path: Path) => ConfigError.MissingData([...path], "is not set")

const invalid = (path: Path, message: string) => ConfigError.InvalidData([...path], message)

/** Effect's defaults stand in for missing data only, so an error of ours passes them by. */
const unavailable = (path: Path) => (error: EdumfaConfigError) =>
  ConfigError.SourceUnavailable([...path], error.message, Cause.fail(error))

/** A single value as the text that Effect's configs read; undefined: it is none. */
const textOf = (value: Literal): string | undefined => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8")
  return typeof value === "object" ? undefined : String(value)
}

/** The parts of a list or dict by the names Effect gives them; undefined: a single value. */
const entriesOf = (value: Literal): ReadonlyMap<string, Literal> | undefined => {
  if (Array.isArray(value)) return new Map(value.map((item, index) => [`[${index}]`, item]))
  return isDict(value) ? new Map(Object.entries(value)) : undefined
}

/** A list or dict in the environment is written as in the file. */
const literalOf = ({ value }: Setting): Literal => {
  if (value._tag === "Literal") return value.value
  const literal = CfgFile.parseLiteral(value.text.trim())
  return literal !== undefined && entriesOf(literal) !== undefined ? literal : value.text
}

const descend = (value: Literal, path: Path, steps: Path): Either.Either<Literal, ConfigError.ConfigError> => {
  let current = value
  for (const [index, step] of steps.entries()) {
    if (current === null) return Either.left(missing(path))
    const entries = entriesOf(current)
    // Of the parts of one value the same is said.
    if (entries === undefined) {
      return Either.left(invalid(path.slice(0, index + 1), "Expected a list or dict in Python's syntax"))
    }
    current = entries.get(step) ?? null
  }
  return current === null ? Either.left(missing(path)) : Either.right(current)
}

/** Parses a text; where that fails, as the value it is in Python's syntax: `True`, `6_379`. */
const parse = <A>(primitive: Config.Config.Primitive<A>, path: Path, text: string) =>
  Either.orElse(primitive.parse(text), (error) => {
    const literal = CfgFile.parseLiteral(text.trim())
    const plain = literal === undefined || typeof literal === "string" ? undefined : textOf(literal)
    const again = plain === undefined ? Either.left(error) : primitive.parse(plain)
    return Either.mapLeft(again, () => ConfigError.prefixed([...path])(error))
  })

/** Asking for the connection is what makes the keys of the queue matter. */
const needsCheck = (key: string) => keys.connectionKeys.includes(key) || key === "EDUMFA_QUEUE_WORKER_REDIS_URL"

/** `onKey` is told every key that is asked for. */
const flat = (settings: Settings, onKey: (key: string) => void) => {
  const find = Effect.fnUntraced(function* (path: Path) {
    const [key = "", ...steps] = path
    onKey(key)
    const checked = needsCheck(key) ? settings.checkQueueKeys : Effect.void
    const setting = yield* Effect.mapError(Effect.zipRight(checked, settings.find(key)), unavailable(path))
    return { setting, steps }
  })
  return ConfigProvider.makeFlat({
    load: Effect.fnUntraced(function* (path, primitive, split) {
      const { setting, steps } = yield* find(path)
      if (Option.isNone(setting)) return yield* Effect.fail(missing(path))
      const { value } = setting.value
      const literal =
        value._tag === "Text" && steps.length === 0 ? value.text : yield* descend(literalOf(setting.value), path, steps)
      const text = textOf(literal)
      // Only an empty list gets here: the parts of others are asked for one by one.
      if (text === undefined && split && Array.isArray(literal)) return []
      if (text === undefined) return yield* Effect.fail(invalid(path, "Expected a single value"))
      const texts =
        split && value._tag === "Text" && steps.length === 0 ? text.split(",").map((part) => part.trim()) : [text]
      return yield* Effect.forEach(texts, (part) => parse(primitive, path, part))
    }),
    enumerateChildren: Effect.fnUntraced(function* (path) {
      const { setting, steps } = yield* find(path)
      if (Option.isNone(setting)) return HashSet.empty<string>()
      const parts = Either.map(descend(literalOf(setting.value), path, steps), entriesOf)
      return HashSet.fromIterable(Either.getOrElse(parts, () => undefined)?.keys() ?? [])
    }),
    patch: PathPatch.empty
  })
}

interface Fault {
  readonly reason: "Computed" | "Invalid" | "Missing"
  readonly path: Path
  readonly message: string
  /** Already explained. */
  readonly error?: EdumfaConfigError
}

const faults: ConfigError.ConfigErrorReducer<void, ReadonlyArray<Fault>> = {
  andCase: (_, left, right) => [...left, ...right],
  // Where a value is none of two things, it was meant to be the first.
  orCase: (_, left, right) => (left.some(({ reason }) => reason !== "Missing") ? left : [...left, ...right]),
  invalidDataCase: (_, path, message) => [{ reason: "Invalid", path, message }],
  missingDataCase: (_, path, message) => [{ reason: "Missing", path, message }],
  unsupportedCase: (_, path, message) => [{ reason: "Invalid", path, message }],
  sourceUnavailableCase: (_, path, message, cause) => {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    return [{ reason: "Invalid", path, message, ...(error instanceof EdumfaConfigError ? { error } : {}) }]
  }
}

/** A shorter secret stands in the words of every message, and to take it out of them would show which letters it has. */
const minMasked = 4

/** The message without the value it is about: Effect's own end with it, and ours do not show it. */
const mask = (message: string, setting: Setting): string => {
  const text = setting.value._tag === "Text" ? setting.value.text : textOf(setting.value.value)
  const words = message.replace(/ but received [\s\S]*$/, text === undefined ? "" : " but received …")
  return text === undefined || text.length < minMasked ? words : words.replaceAll(text, "…")
}

const explain = Effect.fnUntraced(function* (
  settings: Settings,
  cause: ConfigError.ConfigError,
  fault: Fault | undefined,
  lastKey: string | undefined
) {
  if (fault?.error !== undefined) return fault.error
  // A config that checks the value of another, defaulted one does not tell which.
  const key = fault?.path[0] ?? lastKey
  const reason = fault?.reason ?? "Invalid"
  if (fault === undefined || key === undefined) {
    return new EdumfaConfigError({ reason, detail: `${settings.source}: a setting cannot be used`, cause })
  }
  // The path begins with the key twice where a config names it in its own errors.
  const steps = fault.path.slice(1).filter((step) => step !== key)
  const setting = Option.getOrUndefined(yield* settings.find(key))
  const inside = steps.map((step) => (step.startsWith("[") ? step : `['${step}']`)).join("")
  const name = `${setting?.name ?? settings.nameOf(key)}${inside}`
  const plain =
    fault.message === "<redacted>" ? (reason === "Missing" ? "is not set" : "the value cannot be used") : fault.message
  const message = setting !== undefined && keys.isSecret(key) ? mask(plain, setting) : plain
  const detail = `${setting?.where ?? settings.source}: ${name}${message.startsWith("is ") ? " " : ": "}${message}`
  return new EdumfaConfigError({ reason, detail, ...(keys.isSecret(key) ? {} : { cause }) })
})

/** What is told of several: what is missing matters least, for another branch may have stood in for it. */
const worst = (all: ReadonlyArray<Fault>): Fault | undefined =>
  all.find(({ error }) => error !== undefined) ?? all.find(({ reason }) => reason !== "Missing") ?? all[0]

/** A part of a table that is read in two ways is wrong once: in the way that it was meant. */
const isFirstOfItsPart = ({ path }: Fault, index: number, all: ReadonlyArray<Fault>): boolean =>
  path.length === 1 || all.findIndex((other) => String(other.path) === String(path)) === index

/** Loads a config, and hands what is wrong to `onFailure`, with the last key that was asked for. */
const loadOr = <A, B, E>(
  settings: Settings,
  config: Config.Config<A>,
  onFailure: (
    cause: ConfigError.ConfigError,
    all: ReadonlyArray<Fault>,
    lastKey: string | undefined
  ) => Effect.Effect<B, E>
): Effect.Effect<A | B, E> =>
  Effect.suspend(() => {
    let lastKey: string | undefined
    const provider = ConfigProvider.fromFlat(
      flat(settings, (key) => {
        lastKey = key
      })
    )
    return Effect.catchAll(provider.load(config), (cause) =>
      onFailure(cause, ConfigError.reduceWithContext(cause, undefined, faults), lastKey)
    )
  })

/** Loads a config from settings. */
export const load = <A>(settings: Settings, config: Config.Config<A>): Effect.Effect<A, EdumfaConfigError> =>
  loadOr(settings, config, (cause, all, lastKey) =>
    Effect.flatMap(explain(settings, cause, worst(all), lastKey), Effect.fail)
  )

/** Everything that is wrong with a config, each once. */
export const check = <A>(
  settings: Settings,
  config: Config.Config<A>
): Effect.Effect<ReadonlyArray<EdumfaConfigError>> =>
  Effect.gen(function* () {
    const none: ReadonlyArray<EdumfaConfigError> = []
    let asksForQueue = false
    // What is wrong with the keys of the queue must not stand in front of what is wrong with each.
    const lenient: Settings = {
      ...settings,
      checkQueueKeys: Effect.sync(() => {
        asksForQueue = true
      })
    }
    const found = yield* loadOr(
      lenient,
      Config.map(config, () => none),
      (cause, all, lastKey) => {
        const present = all.filter(({ error, reason }) => error !== undefined || reason !== "Missing")
        const told = present.length > 0 ? present.filter(isFirstOfItsPart) : [worst(all)]
        return Effect.forEach(told, (fault) => explain(settings, cause, fault, lastKey))
      }
    ).pipe(Effect.catchAll((error) => Effect.succeed([error])))
    const queue = asksForQueue ? yield* Effect.either(settings.checkQueueKeys) : Either.right(undefined)
    const general = Either.isRight(queue) ? none : settings.refused.length > 0 ? settings.refused : [queue.left]
    return [...new Map([...general, ...found].map((error) => [error.message, error])).values()]
  })
