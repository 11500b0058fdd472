/**
 * The command line: argv to exit code. Whatever goes wrong is one line on stderr.
 */
import { stripVTControlCharacters } from "node:util"
import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { canonical } from "./Cli/argv.ts"
import * as Check from "./Cli/Check.ts"
import * as Drain from "./Cli/Drain.ts"
import * as Given from "./Cli/Given.ts"
import { text, textOf } from "./Cli/help.ts"
import type { Synopsis } from "./Cli/Option.ts"
import { options } from "./Cli/options.ts"
import * as Run from "./Cli/Run.ts"
import * as Line from "./QueueLogger/Line.ts"

/** 0: stopped, or all is well; 1: failed; 2: wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2

/** What belongs to the process and not to the program. */
export interface Process extends Run.Process {
  readonly version: string
  /** Done when a command is interrupted that is to come to an end: it has failed. */
  readonly interrupted: Effect.Effect<void>
  /** Why what was printed on stdout did not all get there; none: it did. Completes when that is known. */
  readonly unprinted: Effect.Effect<Option.Option<string>>
}

/** All but the one that runs the worker. */
const commands: ReadonlyArray<Synopsis> = [Check.synopsis, Drain.synopsis]

/** Each thing said is one line, whatever Redis, a mail server or a file put into it: a terminal obeys what it is shown. */
const inLines = (console: Console.Console): Console.Console => {
  const escaped = (args: ReadonlyArray<unknown>) => args.map((arg) => Line.escaped(String(arg)))
  return {
    ...console,
    log: (...args) => console.log(...escaped(args)),
    error: (...args) => console.error(...escaped(args))
  }
}

/** A command for people: what it says it prints, and its parts write no log in between. */
const subcommand = <E, R>(
  { name, options, purpose }: Synopsis,
  run: (given: Given.Given, name: Process["name"]) => Effect.Effect<void, E, R>,
  process: Process,
  console: Console.Console
) =>
  Command.make(name, { given: Given.options(options) }, ({ given }) =>
    run(given, process.name).pipe(
      Effect.onInterrupt(() =>
        Effect.zipRight(Console.error(`${process.name}: ${name} was interrupted before its end`), process.interrupted)
      ),
      Effect.withConsole(inLines(console)),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  ).pipe(Command.withDescription(purpose))

const command = (process: Process, console: Console.Console) =>
  Command.make(process.name, { given: Given.options(options) }, ({ given }) => Run.run(given, process)).pipe(
    Command.withDescription("Sends the mails that eduMFA or privacyIDEA put on their job queue."),
    Command.withSubcommands([
      subcommand(Check.synopsis, Check.run, process, console),
      subcommand(Drain.synopsis, Drain.run, process, console)
    ])
  )

/** @effect/cli prints what is wrong over several lines before it fails with it; here it is said once, in one line. */
const silent = <A, E, R>(effect: Effect.Effect<A, E, R>, console: Console.Console) =>
  Effect.withConsole(effect, {
    ...console,
    error: () => Effect.void,
    unsafe: { ...console.unsafe, error: () => {} }
  })

const firstLine = (doc: HelpDoc.HelpDoc) =>
  stripVTControlCharacters(HelpDoc.toAnsiText(doc)).trim().split("\n", 1)[0] ?? ""

/** Runs what a canonical command line asks for. */
const perform = (args: ReadonlyArray<string>, process: Process) => {
  const { name, version } = process
  if (args.includes("--help")) {
    const about = commands.find((it) => it.name === args[0])
    return Console.log(about === undefined ? text(name, commands) : textOf(name, about))
  }
  if (args.includes("--version")) return Console.log(version)
  return Console.consoleWith((console) =>
    silent(Command.run(command(process, console), { name, version })(["node", name, ...args]), console)
  )
}

const config = {
  isCaseSensitive: true,
  showBuiltIns: false,
  showTypes: false,
  // A canonical command line has no name that is misspelt. @effect/cli would compare each with all others, and does not
  // look for one that is shorter than the mistakes that it may have.
  autoCorrectLimit: Number.POSITIVE_INFINITY
}

/** Runs the command line, `argv` without the program's own names, until it ends; never fails. */
export const run = (
  argv: ReadonlyArray<string>,
  process: Process
): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment> => {
  const say = (message: string, code: ExitCode) =>
    Effect.as(Console.error(`${process.name}: ${Line.escaped(message)}`), code)
  return canonical(argv, commands).pipe(
    Effect.flatMap((args) => perform(args, process)),
    Effect.as<ExitCode>(0),
    Effect.catchTags({
      UsageError: (error) => say(error.message, 2),
      EdumfaConfigError: (error) => say(error.message, 2),
      NoQueue: (error) => say(error.message, 2),
      LogFileError: (error) => say(error.message, 2),
      OldBacklog: (error) => say(error.message, 2),
      JobStoreError: (error) => say(error.message, 1),
      WorkersAlive: (error) => say(error.message, 1),
      HeldAgain: (error) => say(error.message, 1),
      Wrong: ({ lines }) => Effect.forEach(lines, (line) => say(line, 1)).pipe(Effect.as<ExitCode>(1))
    }),
    Effect.catchAll((error) => say(`${firstLine(error.error)}, see --help`, 2)),
    Effect.flatMap((code) =>
      Effect.flatMap(process.unprinted, (lost) =>
        // Whoever reads half of an answer must not take it for all.
        Option.isSome(lost)
          ? say(`stdout cannot be written (${lost.value})`, code === 0 ? 1 : code)
          : Effect.succeed(code)
      )
    ),
    Effect.provide(CliConfig.layer(config))
  )
}
