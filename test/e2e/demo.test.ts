/**
 * The demonstration, as the README has it.
 */
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"

const cwd = fileURLToPath(new URL("../..", import.meta.url))

/** With a Redis that nobody is; this builds it as well, once: a run beside another build may read half a file. */
const refused = Effect.gen(function* () {
  const port = yield* RedisServer.freePort
  const args = ["run", "--silent", "demo", "--", "--redis", `redis://127.0.0.1:${port}/0`]
  const { ended } = yield* Command.start("npm", args, { cwd })
  return yield* Effect.flatten(ended)
})

/** As `npm run demo` starts it. */
const demo = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const { ended } = yield* Command.start("node", ["dist/demo.js", ...args], { cwd })
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
  let unreachable: Command.Ended
  beforeAll(async () => {
    unreachable = await Effect.runPromise(Effect.scoped(refused))
  }, 60_000)

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

  it("says in one line that a Redis cannot be reached", () => {
    const { code, stderr } = unreachable
    expect(stderr.split("\n").filter((line) => line !== "" && !line.startsWith("npm "))).toEqual([
      "Redis does not answer (ECONNREFUSED)"
    ])
    expect(code).toBe(1)
  })
})
