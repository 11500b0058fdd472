import { describe, expect, it } from "@effect/vitest"
import * as Check from "../../src/Cli/Check.ts"
import * as Drain from "../../src/Cli/Drain.ts"
import { text, textOf } from "../../src/Cli/help.ts"
import { options } from "../../src/Cli/options.ts"

const commands = [Check.synopsis, Drain.synopsis]

describe.each(["edumfa-queue-huey", "privacyidea-queue-huey"])("the help of %s", (name) => {
  it("has each option apart from what is said of it", () => {
    const lines = text(name, commands).split("\n")
    for (const row of options) {
      const head = `--${row.long}${row.kind === "flag" ? "" : ` ${row.placeholder}`}`
      expect(lines.filter((line) => line.includes(`${head} `))).toHaveLength(1)
    }
    expect(lines.filter((line) => line.length > 100)).toEqual([])
  })

  it("tells what the exit codes of each command are", () => {
    expect(commands.map((it) => textOf(name, it).split("\n").at(-1))).toEqual([
      "Exit codes: 0 nothing is wrong, 1 something is, also about the configuration, 2 wrong usage.",
      "Exit codes: 0 all of it is back, 1 it is not, 2 wrong usage or configuration."
    ])
    for (const it of commands) expect(textOf(name, it)).toContain(`Usage: ${name} ${it.name} [options]\n`)
  })
})
