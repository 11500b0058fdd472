/**
 * The built command: what it says of bad input, without Redis, and on a stop.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueue, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const cfg = (name: string) => fileURLToPath(new URL(`../fixtures/edumfa-cfg/${name}.cfg`, import.meta.url))

describe("the command, given bad input, says so in one line and ends with 2", { concurrent: true }, () => {
  const cases: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>, line: string]> = [
    [
      "an unknown class",
      ["--config", cfg("unknown-class")],
      `${cfg("unknown-class")}, line 1: EDUMFA_JOB_QUEUE_CLASS is no queue we know; write one of '', 'edumfa.lib.queues.huey_queue.HueyQueue', 'privacyidea.lib.queues.huey_queue.HueyQueue'`
    ],
    [
      "a file without a class",
      ["--config", cfg("disabled")],
      `the job queue is off, set EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue' in ${cfg("disabled")}`
    ],
    ["a missing file", ["--config", "missing.cfg"], "missing.cfg does not exist; --config names it"],
    ["a directory for a file", ["--config", "."], ". cannot be read (it is no regular file)"],
    ["broken Python", ["--config", cfg("broken")], `${cfg("broken")}, line 1: a string is not closed`],
    [
      "a computed key",
      ["--config", cfg("computed")],
      `${cfg("computed")}, line 8: EDUMFA_JOB_QUEUE_URL is computed (os.environ['REDIS_URL']); write the value itself, for example EDUMFA_JOB_QUEUE_URL = 'redis://localhost:6379/0', or set EDUMFA_JOB_QUEUE_URL in the environment`
    ],
    [
      "an address given twice",
      ["--config", cfg("over-determined")],
      `${cfg("over-determined")}, line 3: EDUMFA_JOB_QUEUE_URL and EDUMFA_JOB_QUEUE_HOST both name the connection; keep the URL or the single keys`
    ],
    ["an unknown option", ["--frobnicate"], "unknown option --frobnicate, see --help"],
    ["a bad number", ["-w", "many"], "option -w needs an integer from 1 to 1000, got many"],
    ["a bad choice", ["-k", "coroutine"], "option -k needs one of thread, greenlet, process, got coroutine"],
    ["a missing value", ["-l"], "option -l needs a file name"],
    ["a backoff that shrinks", ["-b", "0.5"], "option -b needs a number of at least 1, got 0.5"],
    [
      "an interval that does not divide a minute",
      ["-s", "7"],
      "option -s needs an integer from 1 to 60 that divides 60, got 7"
    ],
    [
      "options that exclude each other",
      ["-C", "-M", "5"],
      "options --disable-health-check and --max-tasks cannot be used together"
    ],
    [
      "an unknown command",
      ["edumfa.huey"],
      "unknown command edumfa.huey; the worker runs without one, others are check, drain"
    ],
    ["an option that is another command's", ["drain", "-w", "4"], "unknown option -w, see drain --help"],
    ["a log level", ["--log-level", "debug"], "unknown option --log-level, see --help"],
    [
      "a log in a missing directory",
      ["--config", cfg("literals"), "-l", "/missing/q.log"],
      "cannot log to /missing/q.log: there is no directory /missing; create it, or name another file with -l"
    ]
  ]
  for (const [what, args, line] of cases) {
    it.live(what, () =>
      Effect.gen(function* () {
        const cwd = yield* Command.directory()
        const ended = yield* Command.run(args, { cwd })
        expect(ended).toEqual({ code: 2, signal: null, stdout: "", stderr: `edumfa-queue-huey: ${line}\n` })
        expect(existsSync(join(cwd, "edumfa-queue.log"))).toBe(false)
      }).pipe(Effect.scoped)
    )
  }
})

describe("the command", { concurrent: true }, () => {
  it.scopedLive("shows its version and its options", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory()
      const version = yield* Command.run(["--version"], { cwd })
      expect(version).toMatchObject({ code: 0, stderr: "" })
      expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
      const help = yield* Command.run(["-h"], { cwd })
      expect(help).toMatchObject({ code: 0, stderr: "" })
      for (const option of "-l -w -k -d -m -b -c -C -f -L -M -s -n --config --redis-wait".split(" ")) {
        expect(help.stdout).toMatch(new RegExp(`^ .*${option}[ ,]`, "m"))
      }
    })
  )

  it.scopedLive("accepts every option of huey's consumer, and says which have no effect", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(yield* RedisServer.freePort) })
      const options = "-l q.log -w 2 -k process -d 1 -m 5 -b 1.5 -c 3 -f -L a,b -M 100 -s 10 -n".split(" ")
      const worker = yield* Command.command([...options, "--config", "edumfa.cfg"], { cwd })
      const lines = yield* Command.logged(join(cwd, "q.log"), /without effect here/, 10)
      expect(lines.map((line) => /option --(\S+) is/.exec(line)?.[1]).sort()).toEqual([
        "backoff",
        "delay",
        "extra-locks",
        "flush-locks",
        "health-check-interval",
        "max-delay",
        "max-tasks",
        "no-periodic",
        "scheduler-interval",
        "worker-type"
      ])
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("says once that Redis does not answer, and goes on by itself when it does", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const mailServer = yield* SmtpServer.make()
      yield* redis.stop()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      const log = join(cwd, "edumfa-queue.log")
      expect(yield* Command.logged(log, /does not answer/)).toEqual([
        expect.stringContaining(
          "[ERROR][edumfa-queue.worker:0] Redis does not answer (ECONNREFUSED); jobs wait, trying on"
        )
      ])
      yield* redis.start
      yield* enqueue(redis.port, mailServer, mail)
      yield* mailServer.take(1)
      yield* Command.logged(log, / done /)
      expect(yield* Command.logged(log, /does not answer/)).toHaveLength(1)
      expect(yield* Command.logged(log, /the queue answers again after \d+ s/)).toHaveLength(1)
      yield* worker.kill("SIGINT")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("does nothing on SIGUSR1 and SIGUSR2, not even to what it has in hand", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const mailServer = yield* SmtpServer.make({ subjects: { "Your code": "Hang" } })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const log = join(cwd, "edumfa-queue.log")
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* enqueue(redis.port, mailServer, mail)
      const held = yield* mailServer.held
      yield* worker.kill("SIGUSR1")
      yield* worker.kill("SIGUSR2")
      yield* held.release
      yield* Command.logged(log, /INFO.* done attempt=1/)
      // A debugger would say where it listens.
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, signal: null, stderr: "" })
      expect(readFileSync(log, "utf8")).not.toMatch(/redelivered/)
    })
  )

  it.scopedLive("gives up on a Redis that does not answer where it is told to", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(yield* RedisServer.freePort) })
      const ended = yield* Command.run(["--config", "edumfa.cfg", "--redis-wait", "0"], { cwd })
      expect(ended).toMatchObject({
        code: 1,
        stderr:
          "edumfa-queue-huey: Redis does not answer (ECONNREFUSED); if it is elsewhere, write EDUMFA_JOB_QUEUE_URL = 'redis://host:port/db'\n"
      })
      const redis = yield* RedisServer.make()
      const refused = { EDUMFA_JOB_QUEUE_URL: `redis://mfa:wrong@127.0.0.1:${redis.port}/0` }
      expect(yield* Command.run(["--config", "edumfa.cfg", "--redis-wait", "0"], { cwd, env: refused })).toMatchObject({
        code: 1,
        stderr:
          "edumfa-queue-huey: Redis answers WRONGPASS invalid username-password pair or user is disabled; write EDUMFA_JOB_QUEUE_URL = 'redis://user:password@host:port/db'\n"
      })
    })
  )

  it.scopedLive("tries a refused mail again, and buries one that is refused for good", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const refusing = yield* SmtpServer.make({
        recipients: {
          "busy@example.org": { code: 451, text: "come back" },
          "gone@example.org": { code: 550, text: "no user" }
        }
      })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* enqueue(redis.port, refusing, { ...mail, recipient: ["busy@example.org", "ada@example.org"] })
      yield* enqueue(redis.port, refusing, { ...mail, recipient: "gone@example.org" })
      const log = join(cwd, "edumfa-queue.log")
      const retries = yield* Command.logged(log, /WARNING.* retry in /, 2)
      expect(retries[0]).toContain("1 accepted, 1 refused for now, 0 for good: 451 come back attempt=1")
      expect(retries[1]).toContain(": 451 come back attempt=2")
      expect(yield* Command.logged(log, /ERROR.* dead: 550 no user attempt=1/)).toHaveLength(1)
      // Whoever has the mail gets it once.
      expect((yield* refusing.take(1)).map(({ recipients }) => recipients)).toEqual([["ada@example.org"]])
      expect(yield* refusing.size).toBe(0)
      expect(readFileSync(log, "utf8")).not.toMatch(/493817|ada@|busy@|gone@/)
    })
  )

  it.scopedLive("on SIGTERM waits for the reply after the final dot, and leaves the rest to the next worker", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const slow = yield* SmtpServer.make({
        subjects: { "Your code": "Hang" },
        recipients: { "stuck@example.org": "Hang" }
      })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      const log = join(cwd, "edumfa-queue.log")
      yield* enqueue(redis.port, slow, mail)
      const afterDot = yield* slow.held
      yield* enqueue(redis.port, slow, { ...mail, recipient: "stuck@example.org" })
      yield* slow.held
      yield* worker.kill("SIGTERM")
      yield* Command.logged(log, /stopping, 2 in hand/)
      yield* afterDot.release
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
      yield* Command.logged(log, /INFO.* done /)
      yield* Command.logged(log, /INFO.* released, the worker stops /)
      yield* slow.take(1)
      // The released one is in hand of the next worker at once, and again in its first attempt.
      const next = yield* Command.command(["--config", "edumfa.cfg", "-l", "next.log"], { cwd })
      yield* Effect.flatMap(slow.held, ({ release }) => release)
      yield* Effect.flatMap(slow.held, ({ release }) => release)
      const [done] = yield* Command.logged(join(cwd, "next.log"), / done /)
      expect(done).toContain("attempt=1")
      yield* next.kill("SIGTERM")
      yield* Effect.flatten(next.ended)
    })
  )

  it.scopedLive("on SIGHUP drains and starts anew in the same process", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const mailServer = yield* SmtpServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      const log = join(cwd, "edumfa-queue.log")
      yield* Command.logged(log, / started, /)
      yield* worker.kill("SIGHUP")
      const starts = yield* Command.logged(log, / started, /, 2)
      expect(new Set(starts.map((line) => line.split("][")[1])).size).toBe(1)
      yield* enqueue(redis.port, mailServer, mail)
      yield* mailServer.take(1)
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("survives a second SIGHUP during the drain, and one after which the configuration is broken", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const slow = yield* SmtpServer.make({ recipients: { "stuck@example.org": "Hang" } })
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      const log = join(cwd, "edumfa-queue.log")
      yield* Command.logged(log, / started, /)
      const good = readFileSync(join(cwd, "edumfa.cfg"), "utf8")
      writeFileSync(join(cwd, "edumfa.cfg"), "EDUMFA_JOB_QUEUE_CLASS = (")
      yield* worker.kill("SIGHUP")
      const [kept] = yield* Command.logged(log, /ERROR.*no new start on SIGHUP/)
      expect(kept).toContain("the old one goes on: edumfa.cfg, line 1:")
      writeFileSync(join(cwd, "edumfa.cfg"), good)
      yield* enqueue(redis.port, slow, { ...mail, recipient: "stuck@example.org" })
      yield* slow.held
      yield* worker.kill("SIGHUP")
      yield* Command.logged(log, /stopping, 1 in hand/)
      yield* worker.kill("SIGHUP")
      yield* Command.logged(log, / started, /, 2)
      // The released mail is in hand again, of the same process.
      yield* Effect.flatMap(slow.held, ({ release }) => release)
      yield* slow.take(1)
      yield* worker.kill("SIGTERM")
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("stops in time also where Redis hangs", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* Command.logged(join(cwd, "edumfa-queue.log"), / started, /)
      yield* redis.signal("SIGSTOP")
      yield* worker.kill("SIGTERM")
      // Docker and supervisor kill after 10 seconds.
      expect(yield* Effect.timeout(Effect.flatten(worker.ended), "9 seconds")).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("on SIGTERM settles a mail whose reply comes when the grace time is over", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const slow = yield* SmtpServer.make({ subjects: { "Your code": "Hang" } })
      const cwd = yield* Command.directory({
        "edumfa.cfg": queueCfg(redis.port, "EDUMFA_QUEUE_WORKER_GRACE = 0")
      })
      const worker = yield* Command.command(["--config", "edumfa.cfg"], { cwd })
      yield* enqueue(redis.port, slow, mail)
      const afterDot = yield* slow.held
      yield* worker.kill("SIGTERM")
      const log = join(cwd, "edumfa-queue.log")
      yield* Command.logged(log, /stopping, 1 in hand/)
      yield* afterDot.release
      expect(yield* Effect.flatten(worker.ended)).toMatchObject({ code: 0, stderr: "" })
      expect(yield* Command.logged(log, / done /)).toHaveLength(1)
      const { use } = redis.connection
      const keys = yield* use((client) => client.keys("*"))
      // Nothing of the job but its digest.
      expect([...keys].sort()).toEqual(["{huey.redis.huey}:q:counters", "{huey.redis.huey}:q:seen"])
    })
  )
})
