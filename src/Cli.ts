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
import { canonical } from "./Cli/argv.ts"
import { text } from "./Cli/help.ts"
import * as Run from "./Cli/Run.ts"

/** 0: stopped; 1: failed; 2: wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2

/** What belongs to the process and not to the program. */
export interface Process extends Run.Process {
  readonly version: string
}

const command = (process: Process) =>
  Command.make(process.name, { given: Run.options }, ({ given }) => Run.run(given, process)).pipe(
    Command.withDescription("Sends the mails that eduMFA or privacyIDEA put on their job queue.")
  )

/** @effect/cli prints what is wrong over several lines before it fails with it; here it is said once, in one line. */
const silent = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Console.consoleWith((console) =>
    Effect.withConsole(effect, {
      ...console,
      error: () => Effect.void,
      unsafe: { ...console.unsafe, error: () => {} }
    })
  )

const firstLine = (doc: HelpDoc.HelpDoc) =>
  stripVTControlCharacters(HelpDoc.toAnsiText(doc)).trim().split("\n", 1)[0] ?? ""

/** Runs the command line, `argv` without the program's own names, until it ends; never fails. */
export const run = (
  argv: ReadonlyArray<string>,
  process: Process
): Effect.Effect<ExitCode, never, CliApp.CliApp.Environment> => {
  const { name, version } = process
  const say = (message: string, code: ExitCode) => Effect.as(Console.error(`${name}: ${message}`), code)
  return canonical(argv).pipe(
    Effect.flatMap((args) =>
      args.includes("--help")
        ? Console.log(text(name))
        : args.includes("--version")
          ? Console.log(version)
          : silent(Command.run(command(process), { name, version })(["node", name, ...args]))
    ),
    Effect.as<ExitCode>(0),
    Effect.catchTags({
      UsageError: (error) => say(error.message, 2),
      EdumfaConfigError: (error) => say(error.message, 2),
      NoQueue: (error) => say(error.message, 2),
      LogFileError: (error) => say(error.message, 2),
      OldBacklog: (error) => say(error.message, 2),
      JobStoreError: (error) => say(error.message, 1)
    }),
    Effect.catchAll((error) => say(`${firstLine(error.error)}, see --help`, 2)),
    Effect.provide(CliConfig.layer({ isCaseSensitive: true, showBuiltIns: false, showTypes: false }))
  )
}
