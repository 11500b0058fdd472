/**
 * Runs a longer proof as the main program of a process.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** What an interrupted run exits with, as a shell has it for SIGINT: it has proved nothing. */
const interrupted = 130

/** Exits with what `main` answers, or with 2 and what is wrong with the way it was called. */
export const run = (main: Effect.Effect<number, Error>): void =>
  main.pipe(
    Effect.catchAll((error) => Effect.as(Console.error(error.message), 2)),
    NodeRuntime.runMain({
      disablePrettyLogger: true,
      teardown: (exit, end) =>
        Exit.match(exit, {
          onSuccess: (code) => end(Number(code)),
          onFailure: (cause) => end(Cause.isInterruptedOnly(cause) ? interrupted : 1)
        })
    })
  )
