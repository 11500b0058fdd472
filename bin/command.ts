/**
 * Runs the command line. The only place with the runtime and the process of the command.
 */

import { format } from "node:util"
import * as Runtime from "@effect/platform/Runtime"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import manifest from "../package.json" with { type: "json" }
import * as Cli from "../src/Cli.ts"

/** Whoever waits for SIGHUP now. Nobody does during a drain: the signal is then ignored, and does not end the process. */
let onHangUp = () => {}
process.on("SIGHUP", () => onHangUp())

// Without listeners the first opens Node's debugger to everybody on the machine, and the second ends the process at once with
// what is in hand, as both do with Python's worker. What a rotation of logs sends may be either.
process.on("SIGUSR1", () => {})
process.on("SIGUSR2", () => {})

const hangUp = Effect.async<void>((resume) => {
  onHangUp = () => resume(Effect.void)
  return Effect.sync(() => {
    onHangUp = () => {}
  })
})

/** The first SIGTERM or SIGINT interrupts the program, by the runtime; this listener keeps the next ones from killing it. */
let signals = 0
let onHurry = () => {}
const onStop = () => {
  signals += 1
  if (signals > 1) onHurry()
}
process.on("SIGTERM", onStop)
process.on("SIGINT", onStop)

const hurry = Effect.async<void>((resume) => {
  if (signals > 1) resume(Effect.void)
  onHurry = () => resume(Effect.void)
})

/** The path of the link that was called, as npm installs one for each name. */
const [, called = ""] = process.argv
const name = /\bprivacyidea-queue-huey$/.test(called) ? "privacyidea-queue-huey" : "edumfa-queue-huey"

/** Why stdout took less than was printed: console.log does not tell. */
let loss: Option.Option<string> = Option.none()
process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  loss = Option.orElse(loss, () => Option.some(code ?? message))
})

/** The end of a line is written apart: a full disk takes half of a text without an error, and then nothing more. */
const print = (text: string) =>
  Effect.sync(() => {
    process.stdout.write(text)
    process.stdout.write("\n")
  })

/** What was written before has arrived, or is lost, when this is done. */
const unprinted = Effect.async<Option.Option<string>>((resume) => {
  process.stdout.write("", () => resume(Effect.sync(() => loss)))
})

const endWith = (code: Cli.ExitCode) =>
  Effect.sync(() => {
    process.exitCode = code
  })

/** To the runtime an interruption is success: that of the worker is its stop, but not every command's. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isInterrupted(exit) ? onExit(process.exitCode === 1 ? 1 : 0) : Runtime.defaultTeardown(exit, onExit)

Cli.run(process.argv.slice(2), {
  name,
  version: manifest.version,
  pid: process.pid,
  hangUp,
  hurry,
  interrupted: endWith(1),
  unprinted
}).pipe(
  Effect.tap(endWith),
  (run) =>
    Console.consoleWith((console) => Effect.withConsole(run, { ...console, log: (...args) => print(format(...args)) })),
  // What @effect/cli needs. NodeContext has more, which takes its time at each start.
  Effect.provide([NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer]),
  NodeRuntime.runMain({ disablePrettyLogger: true, teardown })
)
