/**
 * Both kinds of workers on one queue, one after the other and side by side: each mail once, and none lost.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as Documented from "../services/Documented.ts"
import * as PythonSite from "../services/PythonSite.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueue, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const count = 1_000

const env = { TZ: PythonSite.zone }

/** The subjects of all mails that a mail server took. */
const subjectsAt = (server: Effect.Effect.Success<ReturnType<typeof SmtpServer.make>>) =>
  Effect.map(Effect.flatMap(server.size, server.take), (mails) =>
    mails.map(({ headers }) => headers.find(([name]) => name === "subject")?.[1])
  )

/** What `drain --json` says. */
const drained = (stdout: string): unknown => JSON.parse(stdout)

describe("the way back to a Python worker", { concurrent: true }, () => {
  it.scopedLive(
    "loses none of 1000 messages, and doubles none, where a worker is stopped in the middle",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const mailServer = yield* SmtpServer.make()
        const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
        yield* PythonSite.produce(redis.port, mailServer.port, count - 200, 200)
        const worker = yield* Command.command(["--config", "edumfa.cfg", "-w", "4"], { cwd, env })
        yield* Command.logged(join(cwd, "edumfa-queue.log"), / done /, 300)
        yield* worker.kill("SIGTERM")
        expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
        const ours = yield* subjectsAt(mailServer)
        expect(ours.length).toBeGreaterThan(299)
        expect(ours.length).toBeLessThan(count)
        const drain = yield* Command.run(["drain", "--config", "edumfa.cfg"], { cwd, env })
        expect(drain).toMatchObject({ code: 0, stderr: "" })
        const { use } = redis.connection
        const held = yield* use((client) => client.hlen("{huey.redis.huey}:q:job"))
        expect(held).toBe(0)
        const theirs = yield* Effect.flatten(PythonSite.work(redis.port))
        expect([...ours, ...theirs].sort()).toEqual([...PythonSite.subjects(count)].sort())
      }),
    60_000
  )

  it.scopedLive(
    "brings back what is in hand of a killed worker and what waits for another try, at its time",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const slow = yield* SmtpServer.make({
          subjects: { "mail 0": { code: 451, text: "later" }, "mail 1": "Hang", "mail 2": "Hang" }
        })
        const cfg = queueCfg(redis.port, "EDUMFA_QUEUE_WORKER_LEASE = 1\nEDUMFA_QUEUE_WORKER_GRACE = 0")
        const cwd = yield* Command.directory({ "edumfa.cfg": cfg })
        const log = join(cwd, "edumfa-queue.log")
        yield* PythonSite.produce(redis.port, slow.port, 3, 0)
        const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd, env })
        yield* Effect.zipRight(slow.held, slow.held)
        yield* Command.logged(log, /WARNING.* retry in /)
        // Time for all that follows.
        const due = Date.now() + 60_000
        const { use } = redis.connection
        const [id = ""] = yield* Effect.repeat(
          use((client) => client.zrange("{huey.redis.huey}:q:delayed", 0, -1)),
          { until: (ids) => ids.length === 1 }
        )
        yield* use((client) => client.zadd("{huey.redis.huey}:q:delayed", "XX", due, id))
        const refused = yield* Command.run(["drain", "--config", "edumfa.cfg"], { cwd, env })
        expect(refused).toMatchObject({ code: 1, stdout: "" })
        expect(refused.stderr).toBe(
          "edumfa-queue-huey: 1 worker seems to be alive: stop it and try again; one that was killed seems so for 1 s more, --force does not wait for that\n"
        )
        yield* worker.kill("SIGKILL")
        yield* Effect.flatten(worker.ended)
        const answer = yield* Command.run(["drain", "--force", "--json", "--config", "edumfa.cfg"], { cwd, env })
        expect(answer).toMatchObject({ code: 0, stderr: "" })
        expect(Documented.shapeOf(answer.stdout)).toEqual(Documented.shapeOf(Documented.objects[1] ?? ""))
        expect(drained(answer.stdout)).toEqual({
          queue: `127.0.0.1:${redis.port}/0 list huey.redis.huey`,
          list: { arrived: 0, inHand: 2, due: 0 },
          schedule: 1,
          total: 3,
          left: 0
        })
        const [later = "", score = ""] = yield* use((client) =>
          client.zrangeBuffer("huey.schedule.huey", 0, -1, "WITHSCORES")
        )
        // As Python's mktime has it in that zone, one or two hours east.
        expect([3_600, 7_200]).toContain(Math.round(due / 1_000 - Number(score)))
        yield* use((client) => client.zadd("huey.schedule.huey", "XX", 1, later))
        const theirs = yield* Effect.flatten(PythonSite.work(redis.port))
        expect(theirs.sort()).toEqual(["mail 0", "mail 1", "mail 2"])
        const nothing = yield* Command.run(["drain", "--config", "edumfa.cfg"], { cwd, env })
        expect(nothing.stdout.split("\n")[1]).toBe("nothing to put back: the workers hold nothing")
      }),
    60_000
  )

  it.scopedLive(
    "goes on where it was killed",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const { use } = redis.connection
        const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
        // As a worker leaves them that had all of them in hand.
        const all = PythonSite.subjects(100_000)
        const own = (name: string) => `{huey.redis.huey}:q:${name}`
        for (let start = 0; start < all.length; start += 10_000) {
          const part = all.slice(start, start + 10_000).map((text, index) => [`${start + index + 1}:x`, text] as const)
          yield* use((client) => client.hset(own("job"), ...part.flat()))
          yield* use((client) => client.hset(own("meta"), ...part.flatMap(([id]) => [id, "t|1|0|1"])))
          yield* use((client) => client.zadd(own("inflight"), ...part.flatMap(([id]) => [1, id])))
        }
        const args = ["drain", "--config", "edumfa.cfg"]
        const first = yield* Command.command(args, { cwd })
        yield* Effect.repeat(
          use((client) => client.llen("huey.redis.huey")),
          { until: (moved) => moved > 0 }
        )
        yield* first.kill("SIGKILL")
        expect(yield* Effect.flatten(first.ended)).toMatchObject({ signal: "SIGKILL" })
        yield* use((client) => client.lpush("huey.redis.huey", "fresh"))
        const moved = yield* use((client) => client.llen("huey.redis.huey"))
        expect(moved).toBeLessThan(all.length)
        const second = yield* Command.run(args, { cwd })
        expect(second.code).toBe(0)
        // How far it is, where that takes more than two seconds.
        expect(second.stderr).toMatch(/^(?:put back \d+, \d+ left\n)*$/)
        const list = yield* use((client) => client.lrange("huey.redis.huey", 0, -1))
        const taken = [...list].reverse()
        expect(taken.length).toBe(all.length + 1)
        expect(taken.filter((text) => text !== "fresh").every((text, index) => text === all[index])).toBe(true)
        expect(yield* use((client) => client.exists(own("job"), own("meta"), own("inflight")))).toBe(0)
      }),
    60_000
  )

  it.scopedLive("is named by the log of a worker that leaves something behind", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const busy = yield* SmtpServer.make({ recipients: { "ada@example.org": { code: 451, text: "later" } } })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const log = join(cwd, "edumfa-queue.log")
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* enqueue(redis.port, busy, mail)
      yield* Command.logged(log, /WARNING.* retry in /)
      yield* worker.kill("SIGTERM")
      yield* Effect.flatten(worker.ended)
      const [line = ""] = yield* Command.logged(log, /to be tried again and 0 in hand of others are kept/)
      const command = /run: edumfa-queue-huey (.*)$/.exec(line)?.[1]?.split(" ") ?? []
      expect(command).toEqual(["drain", "--config", join(cwd, "edumfa.cfg")])
      // From anywhere.
      const answer = yield* Command.run(command, { cwd: "/" })
      expect(answer).toMatchObject({ code: 0, stderr: "" })
      // Nothing is left now, and the log does not speak of it.
      yield* redis.connection.use((client) => client.del("huey.redis.huey", "huey.schedule.huey"))
      const again = yield* Command.command(["--config", "edumfa.cfg", "-l", "again.log"], { cwd })
      yield* enqueue(redis.port, busy, { ...mail, recipient: "bob@example.org" })
      yield* Command.logged(join(cwd, "again.log"), / done /)
      yield* again.kill("SIGTERM")
      yield* Effect.flatten(again.ended)
      expect(yield* Command.logged(join(cwd, "again.log"), / stopped$/)).toHaveLength(1)
      expect(yield* Command.logged(join(cwd, "again.log"), /are kept for workers/, 0)).toEqual([])
    })
  )
})

describe("a Python worker and ours on one queue", { concurrent: true }, () => {
  it.scopedLive(
    "perform each of 1000 jobs once",
    () =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const mailServer = yield* SmtpServer.make()
        const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
        const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd, env })
        yield* Command.logged(join(cwd, "edumfa-queue.log"), / started, /)
        const [, theirs] = yield* Effect.all(
          [
            PythonSite.produce(redis.port, mailServer.port, count - 100, 100),
            Effect.flatten(PythonSite.work(redis.port))
          ],
          { concurrency: 2 }
        )
        // What Python's worker left is in hand of ours.
        yield* Command.logged(join(cwd, "edumfa-queue.log"), / done /, count - theirs.length)
        yield* worker.kill("SIGTERM")
        yield* Effect.flatten(worker.ended)
        const ours = yield* subjectsAt(mailServer)
        expect([...ours, ...theirs].sort()).toEqual([...PythonSite.subjects(count)].sort())
        expect(theirs.length).toBeGreaterThan(0)
        expect(ours.length).toBeGreaterThan(0)
      }),
    60_000
  )
})
