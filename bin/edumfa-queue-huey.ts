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

Cli.run(process.argv.slice(2), { version: manifest.version, pid: process.pid, hangUp }).pipe(
  Effect.tap((code) =>
    Effect.sync(() => {
      process.exitCode = code
    })
  ),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disablePrettyLogger: true })
)
