import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"

it("what must not compile does not, and all else does", { timeout: 60_000 }, () => {
  const root = fileURLToPath(new URL("..", import.meta.url))
  const { status, stdout } = spawnSync("node_modules/.bin/tsc", ["--pretty", "false"], { cwd: root, encoding: "utf8" })
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
})
