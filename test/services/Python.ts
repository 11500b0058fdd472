/**
 * Runs a script of the fixtures with Python's own pickle and email packages: JSON goes in, JSON comes out.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

/** What the script answers. Without bytecode of its own beside the fixtures. */
export const run = (script: string, args: ReadonlyArray<string>, input: unknown): unknown => {
  const path = fileURLToPath(new URL(`../fixtures/python/${script}`, import.meta.url))
  const { error, status, stderr, stdout } = spawnSync("python3", ["-B", path, ...args], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024
  })
  if (error !== undefined) throw new Error("python3 is needed: Python itself checks what is written", { cause: error })
  if (status !== 0) throw new Error(`python3 failed: ${stderr}`)
  return stdout === "" ? null : JSON.parse(stdout)
}
