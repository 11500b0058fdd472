/**
 * Makes a command line canonical (`--name=value`) before @effect/cli sees it: every spelling that Python's optparse takes
 * is taken, in upper and lower case as written, and whatever is wrong is said in one line.
 */
import { type ParseArgsConfig, parseArgs } from "node:util"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Line from "../QueueLogger/Line.ts"
import type { Flag, Option, Synopsis, Valued } from "./Option.ts"
import { conflicts, options } from "./options.ts"

export type UsageReason =
  | "UnknownCommand"
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

/**
 * What @effect/cli adds to every command, but for its wizard, which asks questions that a worker has no answer to, and for
 * its log level: that is EDUMFA_LOGLEVEL's.
 */
type BuiltIn = Pick<Flag, "kind" | "long" | "short"> | Pick<Valued, "kind" | "long" | "short" | "needs" | "accepts">

const shells = ["sh", "bash", "fish", "zsh"]

const builtIns: ReadonlyArray<BuiltIn> = [
  { kind: "flag", long: "help", short: "h" },
  { kind: "flag", long: "version", short: undefined },
  {
    kind: "choice",
    long: "completions",
    short: undefined,
    needs: `one of ${shells.join(", ")}`,
    accepts: (value) => shells.includes(value)
  }
]

/** Finds an option by how it was written. */
interface Known {
  readonly rows: ReadonlyArray<BuiltIn>
  /** Of a long name or of the start of one; several when it is the start of several. */
  readonly byLong: (name: string) => ReadonlyArray<BuiltIn>
  /** Where an operator reads on. */
  readonly see: string
}

/** optparse takes a long name cut short. Names of ours come second, lest they make a start ambiguous that is not in huey. */
const know = (command: Synopsis | undefined): Known => {
  const table: ReadonlyArray<Option> = command?.options ?? options
  const rows: ReadonlyArray<BuiltIn> = [...table, ...builtIns]
  const first = new Set<string>(["help", ...table.filter((row) => row.source === "huey").map((row) => row.long)])
  return {
    rows,
    byLong: (name) => {
      const exact = rows.filter((row) => row.long === name)
      if (exact.length > 0) return exact.slice(0, 1)
      const starting = rows.filter((row) => row.long.startsWith(name))
      const preferred = starting.filter((row) => first.has(row.long))
      return preferred.length > 0 ? preferred : starting
    },
    see: command === undefined ? "see --help" : `see ${command.name} --help`
  }
}

type ParseOptions = NonNullable<ParseArgsConfig["options"]>

/** What may stand for a long name. Where a letter is no short name, parseArgs takes it for a long one. */
const writtenNames = (argv: ReadonlyArray<string>) =>
  argv.flatMap((it) => (it.startsWith("--") ? it.slice(2).split("=", 1) : it.startsWith("-") ? [...it.slice(1)] : []))

/** What parseArgs has to know to tell values from arguments: every name, and every written start of one that is not ambiguous. */
const parseOptions = (argv: ReadonlyArray<string>, known: Known): ParseOptions => {
  const typed = (row: BuiltIn) => ({ type: row.kind === "flag" ? ("boolean" as const) : ("string" as const) })
  const result: ParseOptions = {}
  for (const name of writtenNames(argv)) {
    const [row, ...others] = known.byLong(name)
    if (name !== "" && row !== undefined && others.length === 0) result[name] = typed(row)
  }
  for (const row of known.rows) {
    result[row.long] = row.short === undefined ? typed(row) : { ...typed(row), short: row.short }
  }
  return result
}

const tokensOf = (argv: ReadonlyArray<string>, options: ParseOptions) =>
  parseArgs({ args: [...argv], options, strict: false, tokens: true }).tokens

/** The command that is named by the first argument that is no option and no value of one; none: the worker. */
const commandOf = (argv: ReadonlyArray<string>, commands: ReadonlyArray<Synopsis>): Synopsis | undefined => {
  const all: ParseOptions = Object.assign({}, ...[...commands, undefined].map((it) => parseOptions(argv, know(it))))
  const argument = tokensOf(argv, all).find((token) => token.kind === "positional")
  return commands.find(({ name }) => name === argument?.value)
}

/** An argument as it may stand in a line of text. */
const shown = (argument: string) => (argument === "" ? "an empty value" : Line.escaped(argument.slice(0, 200)))

const wrong = (reason: UsageReason, detail: string) => Either.left(new UsageError({ reason, detail }))

const find = (known: Known, rawName: string): Either.Either<BuiltIn, UsageError> => {
  const found = rawName.startsWith("--")
    ? known.byLong(rawName.slice(2))
    : known.rows.filter((row) => row.short === rawName.slice(1))
  const [row] = found
  if (row === undefined) return wrong("UnknownOption", `unknown option ${shown(rawName)}, ${known.see}`)
  if (found.length === 1) return Either.right(row)
  const candidates = found.map(({ long }) => `--${long}`).join(", ")
  return wrong("AmbiguousOption", `ambiguous option ${shown(rawName)} (${candidates}), ${known.see}`)
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

/** Nothing that is no option may stand in a command line but a command's name. */
const stray = (text: string, command: Synopsis | undefined, commands: ReadonlyArray<Synopsis>) => {
  if (command !== undefined) {
    return wrong("UnknownCommand", `${command.name} takes options only, got ${shown(text)}, see ${command.name} --help`)
  }
  const names = commands.map(({ name }) => name).join(", ")
  return wrong("UnknownCommand", `unknown command ${shown(text)}; the worker runs without one, others are ${names}`)
}

/**
 * Makes `argv`, without the program's name, canonical: the name of one of the `commands` where it is not the worker that is
 * to run, then its options, each once, with its last value, which is checked. `--help`, `--version` and `--completions`
 * end it where they stand, as in optparse.
 */
export const canonical = (
  argv: ReadonlyArray<string>,
  commands: ReadonlyArray<Synopsis> = []
): Either.Either<ReadonlyArray<string>, UsageError> => {
  const command = commandOf(argv, commands)
  const name = command === undefined ? [] : [command.name]
  const known = know(command)
  const given = new Map<string, string>()
  const positionals: Array<string> = []
  for (const token of tokensOf(argv, parseOptions(argv, known))) {
    if (token.kind === "option-terminator") continue
    if (token.kind === "positional") {
      positionals.push(token.value)
      continue
    }
    const row = find(known, token.rawName)
    if (Either.isLeft(row)) return Either.left(row.left)
    const { long } = row.right
    const text = argument(row.right, token)
    if (Either.isLeft(text)) return Either.left(text.left)
    switch (long) {
      case "help":
        return Either.right([...name, text.right])
      case "version":
      case "completions":
        return Either.right([text.right])
      default:
        // The last value wins, and stands where it was given.
        given.delete(long)
        given.set(long, text.right)
    }
  }
  const [extra] = positionals.slice(name.length)
  if (extra !== undefined) return stray(extra, command, commands)
  const conflict = command === undefined ? conflicts(new Set(given.keys())) : undefined
  if (conflict !== undefined) return wrong("Conflict", conflict)
  return Either.right([...name, ...given.values()])
}
