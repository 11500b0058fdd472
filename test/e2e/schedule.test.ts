/**
 * The built command and huey's schedule, as Python workers of one zone write it and a worker of another machine finds it.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Huey from "../../src/Huey.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import * as RowOf from "../../src/SmtpServer.ts"
import * as Command from "../services/Command.ts"
import { scores } from "../services/mktime.ts"
import * as RedisServer from "../services/RedisServer.ts"
import { queueCfg } from "../services/Site.ts"
import * as SmtpServer from "../services/SmtpServer.ts"

const queue = "huey.redis.huey"
const schedule = "huey.schedule.huey"

/** A queue with a mail server, and a worker in a zone. Times are Unix times in seconds. */
const site = Effect.gen(function* () {
  const redis = yield* RedisServer.make()
  const mailServer = yield* SmtpServer.make()
  const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
  const { use } = redis.connection
  const log = join(cwd, "edumfa-queue.log")
  return {
    log,
    use,
    worker: (env: Readonly<Record<string, string>>) => Command.command(["--config", "edumfa.cfg"], { cwd, env }),
    message: (eta: number) =>
      Effect.map(
        Huey.make().encode(
          Huey.message({
            id: `at-${eta}`,
            name: SendEmail.job.names[0],
            call: { args: [RowOf.toRow(mailServer.definition), "ada@example.org", `At ${eta}`, "493817"], kwargs: {} },
            eta: Math.floor(eta * 1_000)
          })
        ),
        (bytes) => Buffer.from(bytes)
      ),
    /** The next mail, and when it came. */
    next: Effect.map(mailServer.take(1), () => Date.now() / 1_000),
    entries: use((client) => client.zrange(schedule, 0, -1, "WITHSCORES")).pipe(
      Effect.filterOrFail((entries) => entries.length > 0),
      Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo("10 seconds"))),
      Effect.map(([, score]) => Number(score))
    )
  }
})

const unix = () => Date.now() / 1_000

/** So far ahead a job is due that a worker has started before, on a busy machine too. */
const ahead = 8

/** How late a job may be on a busy machine. */
const punctual = 2

describe("the schedule", { concurrent: true, timeout: 40_000 }, () => {
  it.scopedLive("is read as a Python worker in Berlin wrote it, by a worker in New York that is told so", () =>
    Effect.gen(function* () {
      const { log, message, next, use, worker } = yield* site
      const eta = unix() + ahead
      const bytes = yield* message(eta)
      yield* use((client) => client.zadd(schedule, scores("Europe/Berlin", [eta])[0] ?? 0, bytes))
      yield* worker({ TZ: "America/New_York", EDUMFA_QUEUE_WORKER_TIME_ZONE: "Europe/Berlin" })
      const came = yield* next
      expect(came).toBeGreaterThanOrEqual(eta - 0.001)
      expect(came).toBeLessThan(eta + punctual)
      expect(yield* Command.logged(log, /INFO.*the schedule is read as written in Europe\/Berlin$/)).toHaveLength(1)
      yield* Command.logged(log, / done attempt=1/)
    })
  )

  it.scopedLive("is read in the worker's own zone where nothing names one", () =>
    Effect.gen(function* () {
      const { log, message, next, use, worker } = yield* site
      const eta = unix() + ahead
      const bytes = yield* message(eta)
      yield* use((client) => client.zadd(schedule, scores("America/New_York", [eta])[0] ?? 0, bytes))
      yield* worker({ TZ: "America/New_York" })
      const came = yield* next
      expect(came).toBeGreaterThanOrEqual(eta - 0.001)
      expect(came).toBeLessThan(eta + punctual)
      yield* Command.logged(log, /the schedule is read as written in America\/New_York$/)
    })
  )

  it.scopedLive("gets a job back that its score gave away too early, at the score that this zone gives", () =>
    Effect.gen(function* () {
      const { entries, log, message, next, use, worker } = yield* site
      const eta = unix() + ahead
      const bytes = yield* message(eta)
      // By New York's clock this has been due for hours.
      yield* use((client) => client.zadd(schedule, scores("Europe/Berlin", [eta])[0] ?? 0, bytes))
      yield* worker({ TZ: "America/New_York" })
      yield* Command.logged(log, / started, /)
      const [wanted = 0] = scores("America/New_York", [eta])
      yield* entries.pipe(
        Effect.filterOrFail((score) => Math.abs(score - wanted) < 0.01),
        Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo("10 seconds")))
      )
      const came = yield* next
      expect(came).toBeGreaterThanOrEqual(eta - 0.001)
      expect(came).toBeLessThan(eta + punctual)
      yield* Command.logged(log, / done attempt=1/)
    })
  )

  it.scopedLive("gets a delayed job from the list as a Python worker would put it there", () =>
    Effect.gen(function* () {
      const { entries, message, next, use, worker } = yield* site
      const eta = unix() + ahead
      const bytes = yield* message(eta)
      yield* use((client) => client.lpush(queue, bytes))
      yield* worker({ TZ: "UTC", EDUMFA_QUEUE_WORKER_TIME_ZONE: "Asia/Kolkata" })
      expect(yield* entries).toBeCloseTo(scores("Asia/Kolkata", [Math.floor(eta * 1_000) / 1_000])[0] ?? 0, 3)
      const members = yield* use((client) => client.zrangeBuffer(schedule, 0, -1))
      expect(members).toEqual([bytes])
      const came = yield* next
      expect(came).toBeGreaterThanOrEqual(eta - 0.001)
      expect(came).toBeLessThan(eta + punctual)
    })
  )

  it.scopedLive(
    "leaves no job lying that is overdue by its own time, whatever its score says, and asks for the zone",
    () =>
      Effect.gen(function* () {
        const { log, message, next, use, worker } = yield* site
        const eta = unix() - 60
        const bytes = yield* message(eta)
        // By Berlin's clock this is due in six hours.
        yield* use((client) => client.zadd(schedule, scores("America/New_York", [eta])[0] ?? 0, bytes))
        yield* worker({ TZ: "Europe/Berlin" })
        yield* next
        expect(
          yield* Command.logged(
            log,
            /WARNING.*a scheduled job was overdue.*set EDUMFA_QUEUE_WORKER_TIME_ZONE to the time zone/
          )
        ).toHaveLength(1)
      })
  )

  it.scopedLive("holds local times where EDUMFA_JOB_QUEUE_UTC is off, which the zone tells to read", () =>
    Effect.gen(function* () {
      const { entries, message, next, use, worker } = yield* site
      const eta = unix() + ahead
      // The naive time on Tokyo's wall, nine hours ahead: this process is in no such zone.
      const bytes = yield* message(eta + 9 * 3_600)
      yield* use((client) => client.lpush(queue, bytes))
      yield* worker({ EDUMFA_JOB_QUEUE_UTC: "False", EDUMFA_QUEUE_WORKER_TIME_ZONE: "Asia/Tokyo", TZ: "Europe/Berlin" })
      expect(yield* entries).toBeCloseTo(scores("Asia/Tokyo", [Math.floor(eta * 1_000) / 1_000], false)[0] ?? 0, 3)
      const came = yield* next
      expect(came).toBeGreaterThanOrEqual(eta - 0.001)
      expect(came).toBeLessThan(eta + punctual)
    })
  )

  it.scopedLive("is in doubt where TZ is a rule, which Python takes and this process does not", () =>
    Effect.gen(function* () {
      const { log, worker } = yield* site
      yield* worker({ TZ: "CET-1CEST,M3.5.0,M10.5.0/3" })
      yield* Command.logged(log, /INFO.*the schedule is read as written in UTC$/)
      const line =
        "WARNING TZ=CET-1CEST,M3.5.0,M10.5.0/3 is no name of the tz database, so it counts as UTC here; write EDUMFA_QUEUE_WORKER_TIME_ZONE = 'Europe/Berlin', with the zone in which Python's workers run"
      const warnings = yield* Command.logged(log, /TZ=/)
      expect(warnings.map((logged) => logged.replace(/^.*WARNING\S*/, "WARNING"))).toEqual([line])
    })
  )

  it.scopedLive("has a zone that exists", () =>
    Effect.gen(function* () {
      const cwd = yield* Command.directory({
        "edumfa.cfg": queueCfg(1, "EDUMFA_QUEUE_WORKER_TIME_ZONE = 'Europe/Atlantis'")
      })
      expect(yield* Command.run(["--config", "edumfa.cfg"], { cwd })).toEqual({
        code: 2,
        signal: null,
        stdout: "",
        stderr:
          "edumfa-queue-huey: edumfa.cfg, line 4: EDUMFA_QUEUE_WORKER_TIME_ZONE is no time zone; write one of the tz database, as Europe/Berlin or UTC\n"
      })
    })
  )
})
