/**
 * The built command frozen longer than its lease, and with a clock that jumps.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueueAll, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const lease = "EDUMFA_QUEUE_WORKER_LEASE = 2\nEDUMFA_QUEUE_WORKER_GRACE = 1"

describe("a worker that was frozen longer than its lease", { concurrent: true }, () => {
  it.scopedLive("settles nothing of the job that another one has done meanwhile", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const mailServer = yield* SmtpServer.make({ subjects: { "Your code": "Hang" } })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, lease) })
      const zombie = yield* Command.command(["--config", "edumfa.cfg", "-l", "zombie.log"], { cwd })
      yield* enqueueAll(redis.port, mailServer, [mail])
      const first = yield* mailServer.held
      yield* zombie.kill("SIGSTOP")
      const other = yield* Command.command(["--config", "edumfa.cfg", "-l", "other.log"], { cwd })
      const second = yield* mailServer.held
      yield* second.release
      yield* Command.logged(join(cwd, "other.log"), /INFO.* done .*attempt=1/)
      // The mail server took it long ago; the zombie learns that now, and that it is too late.
      yield* first.release
      yield* zombie.kill("SIGCONT")
      yield* Command.logged(join(cwd, "zombie.log"), /ERROR.*(settled too late|lost its lease)/)
      const { use } = redis.connection
      const own = (name: string) => `{huey.redis.huey}:q:${name}`
      for (const key of ["inflight", "delayed"]) expect(yield* use((client) => client.zcard(own(key)))).toBe(0)
      expect(yield* use((client) => client.xlen(own("dead")))).toBe(0)
      // And it works on.
      yield* other.kill("SIGTERM")
      yield* Effect.flatten(other.ended)
      yield* enqueueAll(redis.port, mailServer, [{ ...mail, subject: "Next" }])
      yield* Command.logged(join(cwd, "zombie.log"), /INFO.* done /, 1)
      yield* zombie.kill("SIGTERM")
      expect(yield* Effect.flatten(zombie.ended)).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("touches no other job where Redis has lost its last writes and gives the same numbers again", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const { use } = redis.connection
      const mailServer = yield* SmtpServer.make({ subjects: { "Your code": "Hang", Another: "Hang" } })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, lease) })
      const zombie = yield* Command.command(["--config", "edumfa.cfg", "-l", "zombie.log"], { cwd })
      yield* Command.logged(join(cwd, "zombie.log"), / started, /)
      yield* enqueueAll(redis.port, mailServer, [mail])
      const first = yield* mailServer.held
      yield* zombie.kill("SIGSTOP")
      yield* use((client) => client.flushall())
      yield* enqueueAll(redis.port, mailServer, [{ ...mail, subject: "Another" }])
      const other = yield* Command.command(["--config", "edumfa.cfg", "-l", "other.log", "--backlog", "send"], { cwd })
      const second = yield* mailServer.held
      yield* first.release
      yield* zombie.kill("SIGCONT")
      yield* Command.logged(join(cwd, "zombie.log"), /ERROR.*(settled too late|lost its lease)/)
      // The other one still holds its job, and is the one to settle it.
      expect(yield* use((client) => client.zcard("{huey.redis.huey}:q:inflight"))).toBe(1)
      yield* second.release
      const log = join(cwd, "other.log")
      yield* Command.logged(log, /INFO.* done .*attempt=1/)
      yield* other.kill("SIGTERM")
      expect(yield* Effect.flatten(other.ended)).toMatchObject({ code: 0 })
      yield* mailServer.take(2)
      expect(yield* use((client) => client.hlen("{huey.redis.huey}:q:job"))).toBe(0)
    })
  )
})

describe("a worker whose clock is set by an hour", { concurrent: true }, () => {
  for (const [name, jump] of [
    ["forward", 3_600_000],
    ["back", -3_600_000]
  ] as const) {
    it.scopedLive(`${name}: nothing expires early, nothing is lost, a retry comes in time`, () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const mailServer = yield* SmtpServer.make({
          recipients: { "busy@example.org": { code: 451, text: "come back" } }
        })
        const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, lease) })
        const log = join(cwd, "edumfa-queue.log")
        const preload = fileURLToPath(new URL("../fixtures/clock-jump.mjs", import.meta.url))
        const worker = yield* Command.command(["--config", "edumfa.cfg"], {
          cwd,
          env: { NODE_OPTIONS: `--import=${preload}`, CLOCK_JUMP: String(jump) }
        })
        yield* Command.logged(log, / started, /)
        yield* enqueueAll(redis.port, mailServer, [{ ...mail, recipient: "busy@example.org" }], {
          expires: "5 minutes"
        })
        yield* Command.logged(log, /retry in (0\.9|1\..) s/)
        yield* worker.kill("SIGUSR2")
        // The first line after the jump has its time; the jobs have Redis' time.
        yield* Command.logged(log, /retry in (1\.[89]|2\..) s.* attempt=2/)
        yield* enqueueAll(redis.port, mailServer, [mail], { expires: "1 minute" })
        yield* mailServer.take(1)
        const lines = yield* Command.logged(log, /INFO.* done .*attempt=1/)
        expect(lines).toHaveLength(1)
        const stamp = /^\[([0-9-]+ [0-9:]+),/.exec(lines[0] ?? "")?.[1]
        const shown = Date.parse(`${stamp?.replace(" ", "T")}Z`) - new Date().getTimezoneOffset() * -60_000
        expect(Math.abs(shown - Date.now())).toBeGreaterThan(3_000_000)
        yield* worker.kill("SIGTERM")
        expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "clock set\n" })
      })
    )
  }
})
