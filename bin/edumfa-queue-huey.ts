/**
 * Runs the command line. The only place with the runtime and the process.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import manifest from "../package.json" with { type: "json" }
import * as Cli from "../src/Cli.ts"

const hangUp = Effect.async<void>((resume) => {
  const listener = () => resume(Effect.void)
  process.once("SIGHUP", listener)
  return Effect.sync(() => process.removeListener("SIGHUP", listener))
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
