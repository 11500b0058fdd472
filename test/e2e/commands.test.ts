/**
 * What `check` and `drain` have in common: how they end.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { JobStore } from "../../src/JobStore.ts"
import * as Redis from "../../src/Redis.ts"
import * as ScriptedServer from "../Redis/ScriptedServer.ts"
import * as Command from "../services/Command.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { queueCfg } from "../services/Site.ts"

const store = (port: number) =>
  RedisStore.layer({
    queueName: "huey",
    lease: Duration.seconds(30),
    scheduleOffset: () => 0,
    block: Option.none()
  }).pipe(Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 })))

/** As a worker that was killed leaves them. */
const hold = ({ connection, port }: RedisServer.Server, messages: ReadonlyArray<string>) =>
  Effect.zipRight(
    connection.use((client) => client.lpush("huey.redis.huey", ...messages)),
    Effect.provide(
      Effect.flatMap(JobStore, ({ exchange }) => exchange([], messages.length)),
      store(port)
    )
  )

const decodeDrained = Schema.decodeUnknown(
  Schema.parseJson(Schema.Struct({ left: Schema.Number, total: Schema.Number }))
)

describe.each(["check", "drain"])("%s", (name) => {
  it.scopedLive("has failed where it is interrupted, so that what follows in a script is not done", () =>
    Effect.gen(function* () {
      const redis = yield* ScriptedServer.make(() => undefined)
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const { ended, kill } = yield* Command.command([name, "--config", "edumfa.cfg"], { cwd })
      yield* Effect.repeat(Effect.sync(redis.open), {
        schedule: Schedule.spaced("20 millis"),
        until: (open) => open > 0
      })
      yield* kill("SIGTERM")
      expect(yield* Effect.flatten(ended)).toEqual({
        code: 1,
        signal: null,
        stdout: "",
        // A slow machine may have waited long enough to be told.
        stderr: expect.stringMatching(
          new RegExp(`^(?:waiting for .*\n)?edumfa-queue-huey: ${name} was interrupted before its end\n$`)
        )
      })
    })
  )

  it.scopedLive("shows a terminal no control characters, whatever Redis answers", () =>
    Effect.gen(function* () {
      const redis = yield* ScriptedServer.make(() => "-ERR \u001b]0;title\u0007 \u009b31m\u202e\nsecond line\r\n")
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      for (const more of [[], ["--json"]]) {
        const { code, stderr, stdout } = yield* Command.run([name, "--config", "edumfa.cfg", ...more], { cwd })
        expect(code).toBe(1)
        expect(`${stdout}${stderr}`).toContain(
          "Redis answers ERR \\u001b]0;title\\u0007 \\u009b31m\\u202e\\nsecond line"
        )
        expect(`${stdout}${stderr}`).toMatch(/^(?:[^\p{Cc}\u202e]*\n)+$/u)
      }
    })
  )
})

describe("drain", () => {
  it.scopedLive("moves nothing for a user who may not do all that it does, and says what to do", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const { use } = redis.connection
      const cfg = queueCfg(redis.port).replace("redis://", "redis://mfa:pw@")
      const cwd = yield* Command.directory({ "edumfa.cfg": cfg })
      yield* hold(redis, ["a"])
      yield* use((client) => client.call("ACL", "SETUSER", "mfa", "on", ">pw", "~*", "+@all", "-rpush"))
      const { code, stderr, stdout } = yield* Command.run(["drain", "--config", "edumfa.cfg"], { cwd })
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
      expect(stderr).toMatch(
        /^edumfa-queue-huey: Redis answers [^\n]*(?:can't run|no permissions)[^\n]*; give its user the rights that the README lists\n$/
      )
      expect(stderr).not.toContain("user_script")
      expect(yield* use((client) => client.hlen("{huey.redis.huey}:q:job"))).toBe(1)
    })
  )

  it.scopedLive("has failed where a live worker takes again what it puts back by force", () =>
    Effect.gen(function* () {
      const redis = yield* RedisServer.make()
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      yield* hold(
        redis,
        Array.from({ length: 20_000 }, (_, index) => `message ${index}`)
      )
      const greedy = Effect.flatMap(JobStore, ({ exchange }) => Effect.forever(exchange([], 500)))
      yield* Effect.forkScoped(Effect.provide(greedy, store(redis.port)))
      const { code, stderr, stdout } = yield* Command.run(["drain", "--force", "--json", "--config", "edumfa.cfg"], {
        cwd
      })
      const { left, total } = yield* decodeDrained(stdout)
      expect(total).toBe(20_000)
      expect(left).toBeGreaterThan(0)
      expect(code).toBe(1)
      expect(stderr).toBe(
        `edumfa-queue-huey: ${left} are held again: a worker is alive and takes on; stop it and drain again\n`
      )
    })
  )
})
