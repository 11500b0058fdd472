/**
 * What the README shows compiles against the built package, as a program that installed it would.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text)

/** Inside the package, so that its own name leads to what was built. */
const directory = `${root}dist/readme`

describe("the README", () => {
  it("shows TypeScript that compiles", { timeout: 60_000 }, () => {
    const sources = blocks("ts")
    expect(sources).toHaveLength(3)
    mkdirSync(directory, { recursive: true })
    for (const [index, text] of sources.entries()) writeFileSync(`${directory}/${index}.ts`, text)
    const tsconfig = { extends: "../../tsconfig.json", include: ["*.ts"] }
    writeFileSync(`${directory}/tsconfig.json`, JSON.stringify(tsconfig))
    const args = ["--pretty", "false", "-p", directory]
    const { status, stdout } = spawnSync("node_modules/.bin/tsc", args, { cwd: root, encoding: "utf8" })
    rmSync(directory, { recursive: true })
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" })
  })

  it("names every option of ours, and every key that is accepted", () => {
    const keys = readFileSync(new URL("../src/EdumfaConfig/keys.ts", import.meta.url), "utf8")
    const accepted = keys.match(/^ {2}EDUMFA_\w+(?=: \{)/gm)?.map((key) => key.trim()) ?? []
    expect(accepted.length).toBeGreaterThan(20)
    // A row may shorten the keys after its first: `EDUMFA_JOB_QUEUE_HOST` `_PORT`.
    const missing = accepted.filter((key) => {
      const short = key.replace(/^EDUMFA_(JOB_QUEUE|QUEUE_WORKER)/, "")
      return !readme.includes(`\`${key}\``) && !readme.includes(`\`${short}\``)
    })
    expect(missing).toEqual([])
  })
})
