/**
 * The demonstration, as the README has it.
 */
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"

const cwd = fileURLToPath(new URL("../..", import.meta.url))

const demo = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const { ended } = yield* Command.start("npm", ["run", "--silent", "demo", "--", ...args], { cwd })
  const { code, stdout, stderr } = yield* Effect.flatten(ended)
  return { code, stdout, wrong: stderr.split("\n").filter((line) => line.startsWith("WRONG")) }
})

const ends = [
  ...["anna", "ben", "carla", "david", "ada", "bob", "cleo", "dora", "emil"].map((user) => `${user} delivered`),
  "busy delivered after 2 refusals (451)",
  "gone refused for good (550)"
]

const endsOf = (stdout: string) =>
  (stdout.split("\nMails\n")[1] ?? "")
    .split("\n\n")[0]
    ?.split("\n")
    .map((line) => line.trim().replace(/ +/, " "))

describe("the demonstration", { concurrent: true }, () => {
  it.scopedLive(
    "follows every mail to its end in memory",
    () =>
      Effect.gen(function* () {
        const { code, stdout, wrong } = yield* demo(["--memory"])
        expect(wrong).toEqual([])
        expect(stdout).toContain("Queue: the memory of this process")
        expect(endsOf(stdout)).toEqual(ends)
        expect(code).toBe(0)
      }),
    60_000
  )

  it.scopedLive(
    "follows every mail to its end on Redis, and leaves nothing there",
    () =>
      Effect.gen(function* () {
        const { url, connection } = yield* RedisServer.make()
        const { code, stdout, wrong } = yield* demo(["--redis", url])
        expect(wrong).toEqual([])
        expect(stdout).toContain(`Queue: the Redis at ${url.slice("redis://".length)}`)
        expect(endsOf(stdout)).toEqual(ends)
        expect(yield* connection.use((client) => client.keys("*"))).toEqual([])
        expect(code).toBe(0)
      }),
    60_000
  )

  it.scopedLive("says in one line that a Redis cannot be reached", () =>
    Effect.gen(function* () {
      const port = yield* RedisServer.freePort
      const { ended } = yield* Command.start(
        "npm",
        ["run", "--silent", "demo", "--", "--redis", `redis://127.0.0.1:${port}/0`],
        { cwd }
      )
      const { code, stderr } = yield* Effect.flatten(ended)
      expect(stderr.split("\n").filter((line) => line !== "" && !line.startsWith("npm "))).toEqual([
        "Redis does not answer (ECONNREFUSED)"
      ])
      expect(code).toBe(1)
    })
  )
})
