/**
 * The built command on a second signal, and killed: nothing waits longer than it must, and nothing is lost.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueue, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const stuck = { ...mail, recipient: "stuck@example.org" }

/** A worker with a mail in hand that does not come forward. */
const busy = (more: string) =>
  Effect.gen(function* () {
    const redis = yield* RedisServer.make()
    const slow = yield* SmtpServer.make({ recipients: { "stuck@example.org": "Hang" } })
    const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, more) })
    const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
    yield* enqueue(redis.port, slow, stuck)
    const held = yield* slow.held
    return { cwd, held, log: join(cwd, "edumfa-queue.log"), redis, slow, worker }
  })

describe("the command", { concurrent: true }, () => {
  for (const [first, second] of [
    ["SIGTERM", "SIGTERM"],
    ["SIGINT", "SIGTERM"],
    ["SIGTERM", "SIGINT"]
  ] as const) {
    it.scopedLive(`releases at once on ${second} after ${first}, and names what it released`, () =>
      Effect.gen(function* () {
        const { log, redis, worker } = yield* busy("EDUMFA_QUEUE_WORKER_GRACE = 3600")
        yield* worker.kill(first)
        yield* Command.logged(log, /stopping, 1 in hand get up to 1h/)
        yield* worker.kill(second)
        expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, signal: null, stderr: "" })
        yield* Command.logged(log, /INFO.* released, the worker stops .*id=[0-9a-f-]{36}/)
        const key = (name: string) => `{huey.redis.huey}:q:${name}`
        const { use } = redis.connection
        expect(yield* use((client) => client.zcard(key("delayed")))).toBe(1)
        expect(yield* use((client) => client.zcard(key("inflight")))).toBe(0)
        expect(yield* use((client) => client.hvals(key("meta")))).toEqual([expect.stringMatching(/^\|0\|0\|\d+$/)])
      })
    )
  }

  it.scopedLive("ends soon after a second signal where Redis is silent", () =>
    Effect.gen(function* () {
      const { log, redis, worker } = yield* busy("EDUMFA_QUEUE_WORKER_GRACE = 3600")
      yield* redis.signal("SIGSTOP")
      yield* worker.kill("SIGTERM")
      yield* Command.logged(log, /stopping, 1 in hand get up to 1h/)
      const second = yield* Clock.currentTimeMillis
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, signal: null, stderr: "" })
      yield* Command.logged(log, /WARNING.* 1 that ended could not be settled; they may be done twice/)
      // Less than a silent Redis is given otherwise.
      expect((yield* Clock.currentTimeMillis) - second).toBeLessThan(5_000)
      yield* redis.signal("SIGCONT")
    })
  )

  it.scopedLive(
    "killed with -9, with the default lease and heartbeat: the next one delivers within 45 seconds",
    () =>
      Effect.gen(function* () {
        const { cwd, redis, slow, worker } = yield* busy("")
        const next = yield* Command.command(["--config", "edumfa.cfg", "-l", "next.log"], { cwd })
        yield* Command.logged(join(cwd, "next.log"), / started, /)
        const killedAt = yield* Clock.currentTimeMillis
        yield* worker.kill("SIGKILL")
        yield* Effect.flatten(worker.ended)
        const again = yield* Effect.timeout(slow.held, "45 seconds")
        yield* again.release
        yield* slow.take(1)
        expect((yield* Clock.currentTimeMillis) - killedAt).toBeLessThan(45_000)
        const [done] = yield* Command.logged(join(cwd, "next.log"), /INFO.* done /)
        expect(done).toContain("attempt=1")
        yield* next.kill("SIGTERM")
        yield* Effect.flatten(next.ended)
        expect(yield* redis.connection.use((client) => client.xlen("{huey.redis.huey}:q:dead"))).toBe(0)
      }),
    60_000
  )
})
