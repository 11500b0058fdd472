/**
 * Makes a command line canonical (`--name=value`) before @effect/cli sees it: every spelling that Python's optparse takes
 * is taken, in upper and lower case as written, and whatever is wrong is said in one line.
 */
import { type ParseArgsConfig, parseArgs } from "node:util"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Line from "../QueueLogger/Line.ts"
import { conflicts, type Flag, type Option, options, type Valued } from "./options.ts"

export type UsageReason =
  | "UnknownOption"
  | "AmbiguousOption"
  | "MissingValue"
  | "UnexpectedValue"
  | "InvalidValue"
  | "Conflict"

/** The command line is wrong. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly reason: UsageReason
  readonly detail: string
}> {
  override get message() {
    return this.detail
  }
}

/** What @effect/cli adds to every command, but for its wizard, which asks questions that a worker has no answer to. */
type BuiltIn = Pick<Flag, "kind" | "long" | "short"> | Pick<Valued, "kind" | "long" | "short" | "needs" | "accepts">

const oneOf = (...choices: ReadonlyArray<string>) => ({
  needs: `one of ${choices.join(", ")}`,
  accepts: (value: string) => choices.includes(value)
})

const builtIns: ReadonlyArray<BuiltIn> = [
  { kind: "flag", long: "help", short: "h" },
  { kind: "flag", long: "version", short: undefined },
  { kind: "choice", long: "completions", short: undefined, ...oneOf("sh", "bash", "fish", "zsh") },
  {
    kind: "choice",
    long: "log-level",
    short: undefined,
    ...oneOf("all", "trace", "debug", "info", "warning", "error", "fatal", "none")
  }
]

/** Finds an option by how it was written. */
interface Known {
  readonly rows: ReadonlyArray<BuiltIn>
  /** Of a long name or of the start of one; several when it is the start of several. */
  readonly byLong: (name: string) => ReadonlyArray<BuiltIn>
}

/** optparse takes a long name cut short. Names of ours come second, lest they make a start ambiguous that is not in huey. */
const know = (own: ReadonlyArray<Option>): Known => {
  const rows: ReadonlyArray<BuiltIn> = [...options, ...own, ...builtIns]
  const first = new Set<string>(["help", ...options.filter((row) => row.source === "huey").map((row) => row.long)])
  return {
    rows,
    byLong: (name) => {
      const exact = rows.filter((row) => row.long === name)
      if (exact.length > 0) return exact.slice(0, 1)
      const starting = rows.filter((row) => row.long.startsWith(name))
      const preferred = starting.filter((row) => first.has(row.long))
      return preferred.length > 0 ? preferred : starting
    }
  }
}

/** What parseArgs has to know to tell values from arguments: every name and every start of one that is not ambiguous. */
const parseOptions = (known: Known): NonNullable<ParseArgsConfig["options"]> => {
  const result: NonNullable<ParseArgsConfig["options"]> = {}
  for (const row of known.rows) {
    const type = row.kind === "flag" ? "boolean" : "string"
    for (let length = 1; length < row.long.length; length += 1) {
      const start = row.long.slice(0, length)
      const found = known.byLong(start)
      if (found.length === 1 && found[0] === row) result[start] = { type }
    }
    result[row.long] = row.short === undefined ? { type } : { type, short: row.short }
  }
  return result
}

/** An argument as it may stand in a line of text. */
const shown = (argument: string) => (argument === "" ? "an empty value" : Line.escaped(argument.slice(0, 200)))

const wrong = (reason: UsageReason, detail: string) => Either.left(new UsageError({ reason, detail }))

const find = (known: Known, rawName: string): Either.Either<BuiltIn, UsageError> => {
  const found = rawName.startsWith("--")
    ? known.byLong(rawName.slice(2))
    : known.rows.filter((row) => row.short === rawName.slice(1))
  const [row] = found
  if (row === undefined) return wrong("UnknownOption", `unknown option ${shown(rawName)}, see --help`)
  if (found.length === 1) return Either.right(row)
  const candidates = found.map(({ long }) => `--${long}`).join(", ")
  return wrong("AmbiguousOption", `ambiguous option ${shown(rawName)} (${candidates}), see --help`)
}

interface Token {
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

/** The argument that stands for an option, or what is wrong with it. */
const argument = (row: BuiltIn, { rawName, value, inlineValue }: Token): Either.Either<string, UsageError> => {
  if (row.kind === "flag") {
    if (value === undefined) return Either.right(`--${row.long}`)
    return wrong("UnexpectedValue", `option ${shown(rawName)} takes no value`)
  }
  const needs = `option ${shown(rawName)} needs ${row.needs}`
  if (value === undefined) return wrong("MissingValue", needs)
  if (!row.accepts(value)) return wrong("InvalidValue", `${needs}, got ${shown(value)}`)
  // optparse takes it for the value; somebody who forgot the value would find a file called --version.
  if (inlineValue === false && value.startsWith("-") && value !== "-") {
    const meant = `--${row.long}=${shown(value)}`
    return wrong("MissingValue", `${needs}, got ${shown(value)}; write ${meant} to mean it`)
  }
  return Either.right(`--${row.long}=${value}`)
}

/**
 * Makes `argv`, without the program's name, canonical: the options of the worker first, then positional arguments,
 * untouched, then the `own` options of subcommands; each option once, with its last value, which is checked. `--help`,
 * `--version` and `--completions` end it where they stand, as in optparse.
 */
export const canonical = (
  argv: ReadonlyArray<string>,
  own: ReadonlyArray<Option> = []
): Either.Either<ReadonlyArray<string>, UsageError> => {
  const known = know(own)
  const { tokens } = parseArgs({ args: [...argv], options: parseOptions(known), strict: false, tokens: true })
  const ofSubcommands = new Set(own.map((row) => row.long))
  // @effect/cli takes its own option only in front of all others.
  const level: Array<string> = []
  const given = new Map<string, string>()
  const givenOwn = new Map<string, string>()
  const positionals: Array<string> = []
  const after: Array<string> = []
  let ended = false
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      ended = true
      continue
    }
    if (token.kind === "positional") {
      if (ended) after.push(token.value)
      else positionals.push(token.value)
      continue
    }
    const row = find(known, token.rawName)
    if (Either.isLeft(row)) return Either.left(row.left)
    const { long } = row.right
    const text = argument(row.right, token)
    if (Either.isLeft(text)) return Either.left(text.left)
    switch (long) {
      case "help":
        return Either.right([...positionals, "--help"])
      case "version":
      case "completions":
        return Either.right([text.right])
      case "log-level":
        level.splice(0, 1, text.right)
        break
      default: {
        const values = ofSubcommands.has(long) ? givenOwn : given
        // The last value wins, and stands where it was given.
        values.delete(long)
        values.set(long, text.right)
      }
    }
  }
  const conflict = conflicts(new Set(given.keys()))
  if (conflict !== undefined) return wrong("Conflict", conflict)
  return Either.right([
    ...level,
    ...given.values(),
    ...positionals,
    ...givenOwn.values(),
    ...(after.length === 0 ? [] : ["--", ...after])
  ])
}
