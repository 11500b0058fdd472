/**
 * The built command where its answer cannot be written: whoever reads half of it must not take it for all.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { enqueueAll, mail, queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const commandEnv = { command: `${process.execPath} ${Command.built}` }

/** Runs a line of the shell in which `$command` is the command. */
const shell = (line: string, cwd: string) =>
  Effect.scoped(
    Effect.flatMap(
      Command.start("sh", ["-c", line], {
        cwd,
        env: commandEnv
      }),
      ({ ended }) => Effect.flatten(ended)
    )
  )

const lost = (reason: string) => `edumfa-queue-huey: stdout cannot be written (${reason})\n`

describe("a worker whose log cannot be written", { concurrent: true, timeout: 30_000 }, () => {
  it.scopedLive.each([
    ["a file that may grow no longer", "-l q.log", "q\\.log cannot be written \\(EFBIG\\)"],
    ["stdout on a full disk", "-l - >/dev/full", "on descriptor 1 cannot be written \\(ENOSPC\\)"]
  ])("%s, goes on, and says so on stderr once", ([, options, words]) =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const mailServer = yield* SmtpServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      yield* enqueueAll(
        redis.port,
        mailServer,
        Array.from({ length: 20 }, () => mail)
      )
      // Half a kilobyte takes the first lines.
      const line = `ulimit -f 1; exec $command --config edumfa.cfg ${options}`
      const worker = yield* Command.start("sh", ["-c", line], { cwd, env: commandEnv })
      yield* mailServer.take(20)
      yield* worker.kill("SIGTERM")
      const { code, stderr } = yield* Effect.flatten(worker.ended)
      expect(code).toBe(0)
      expect(stderr).toMatch(
        new RegExp(`^\\[[^\n]*\\[WARNING\\]\\[[^\n]* the log [^\n]*${words}: its lines are dropped\n$`)
      )
    })
  )
})

describe("an answer that cannot be written ends the command with 1 and a line on stderr", {
  concurrent: true,
  timeout: 30_000
}, () => {
  it.live.each(["check", "check --json", "drain", "drain --json", "--help", "--version", "drain --help"])(
    "of %s on a full disk",
    (args) =>
      Effect.gen(function* () {
        const redis = yield* RedisServer.make()
        const config = `EDUMFA_JOB_QUEUE_UTC = True\nEDUMFA_ENCFILE = '${new URL("../fixtures/enckey/enckey", import.meta.url).pathname}'`
        const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port, config) })
        const file = args.includes("-") && !args.includes("json") ? "" : "--config edumfa.cfg"
        expect(yield* shell(`$command ${args} ${file}`, cwd)).toMatchObject({ code: 0, stderr: "" })
        expect(yield* shell(`$command ${args} ${file} >/dev/full`, cwd)).toMatchObject({
          code: 1,
          stderr: lost("ENOSPC")
        })
      }).pipe(Effect.scoped)
  )

  it.scopedLive("where the disk takes the first half of it", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory()
      // Half a kilobyte: less than the help is long.
      expect(yield* shell("ulimit -f 1; $command --help >half", cwd)).toMatchObject({ code: 1, stderr: lost("EFBIG") })
    })
  )

  it.scopedLive("where nobody reads it", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory()
      // The reader of the pipe is gone before the command starts.
      const line = "mkfifo pipe; : <pipe & exec 3>pipe; wait; $command --help >&3"
      expect(yield* shell(line, cwd)).toMatchObject({ code: 1, stderr: lost("EPIPE") })
    })
  )
})
