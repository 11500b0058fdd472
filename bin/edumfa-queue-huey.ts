/**
 * Runs the command line. The only place with the runtime and the process.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import manifest from "../package.json" with { type: "json" }
import * as Cli from "../src/Cli.ts"

/** Whoever waits for SIGHUP now. Nobody does during a drain: the signal is then ignored, and does not end the process. */
let onHangUp = () => {}
process.on("SIGHUP", () => onHangUp())

// Without a listener of its own this signal opens Node's debugger to everybody on the machine.
process.on("SIGUSR1", () => {})

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

Cli.run(process.argv.slice(2), { name, version: manifest.version, pid: process.pid, hangUp, hurry }).pipe(
  Effect.tap((code) =>
    Effect.sync(() => {
      process.exitCode = code
    })
  ),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disablePrettyLogger: true })
)
