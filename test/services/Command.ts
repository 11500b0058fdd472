/**
 * The built command as a child process, in a directory of its own.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** The command that `npm run build` made. */
export const built = fileURLToPath(new URL("../../dist/edumfa-queue-huey.cjs", import.meta.url))

/** How a process ended and what it had said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A directory with files by name; gone with its scope. */
export const directory = (files: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = mkdtempSync(join(tmpdir(), "edumfa-queue-"))
      for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
      return path
    }),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )

/** A child process; killed with its scope when it has not ended before. */
export const start = Effect.fnUntraced(function* (
  file: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly input?: string }
) {
  const said = { stdout: "", stderr: "" }
  const child = yield* Effect.acquireRelease(
    Effect.sync((): ChildProcess => {
      const { PATH = "", HOME = "" } = process.env
      const child = spawn(file, [...args], { cwd: options.cwd, env: { PATH, HOME, ...options.env } })
      child.stdout.on("data", (data: Buffer) => {
        said.stdout += data.toString()
      })
      child.stderr.on("data", (data: Buffer) => {
        said.stderr += data.toString()
      })
      // One that ends at once reads none of it.
      child.stdin.on("error", () => {})
      child.stdin.end(options.input ?? "")
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const ended = Effect.async<Ended>((resume) => {
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("close", (code, signal) => resume(Effect.succeed({ code, signal, ...said })))
  })
  // Listening begins now, lest a quick end be missed.
  const end = yield* Effect.forkScoped(ended)
  yield* Effect.yieldNow()
  return {
    /** 0 where it could not be started. */
    pid: child.pid ?? 0,
    /** What it has said on stdout so far. */
    stdout: Effect.sync(() => said.stdout),
    kill: (signal: NodeJS.Signals) => Effect.sync(() => child.kill(signal)),
    ended: end.await
  }
})

/** The command with these arguments. */
export const command = (args: ReadonlyArray<string>, options: Parameters<typeof start>[2]) =>
  start(process.execPath, [built, ...args], options)

/** Runs the command to its end. */
export const run = (args: ReadonlyArray<string>, options: Parameters<typeof start>[2]) =>
  Effect.scoped(Effect.flatMap(command(args, options), ({ ended }) => Effect.flatten(ended)))

/** The lines of a log that fit, once there are as many as asked for. */
export const logged = (path: string, pattern: RegExp, count = 1) =>
  Effect.sync(() =>
    (existsSync(path) ? readFileSync(path, "utf8") : "").split("\n").filter((line) => pattern.test(line))
  ).pipe(
    Effect.filterOrFail(
      (lines) => lines.length >= count,
      (lines) =>
        new Error(
          `${lines.length} lines of ${path} fit ${pattern}, not ${count}: ${existsSync(path) ? readFileSync(path, "utf8") : "(no file)"}`
        )
    ),
    Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo("15 seconds")))
  )
