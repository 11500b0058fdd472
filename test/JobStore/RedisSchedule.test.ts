/**
 * huey's schedule on a real Redis: what is put back there, and what is fetched from there before its score says so.
 */
import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TimeZone from "../../src/Huey/TimeZone.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { JobStore, type Settlement } from "../../src/JobStore.ts"
import * as Redis from "../../src/Redis.ts"
import { scores } from "../services/mktime.ts"
import * as RedisServer from "../services/RedisServer.ts"

const queue = "huey.redis.huey"
const schedule = "huey.schedule.huey"

const store = (port: number, scheduleOffset: (time: number) => number) =>
  RedisStore.layer({
    queueName: "huey",
    lease: Duration.seconds(30),
    scheduleOffset,
    block: Option.none()
  }).pipe(Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 })))

const exchange = (settlements: ReadonlyArray<Settlement> = [], free = 8) =>
  Effect.flatMap(JobStore, (it) => it.exchange(settlements, free))

const advance = (isDue: (text: string) => boolean) =>
  Effect.flatMap(JobStore, (it) => it.advance((bytes) => isDue(Buffer.from(bytes).toString())))

const texts = Effect.map(exchange(), ({ grants }) => grants.map(({ bytes }) => Buffer.from(bytes).toString()))

const hour = 3_600_000

describe("JobStore.Redis, the schedule", () => {
  it.scopedLive.each(["Europe/Berlin", "America/New_York", "Asia/Kolkata"])(
    "puts a job that is not due where a Python worker in %s finds it in time",
    (name) =>
      Effect.gen(function* () {
        const { connection, port } = yield* RedisServer.make()
        const dueAt = Date.now() + 5 * hour + 250
        yield* Effect.gen(function* () {
          yield* connection.use((client) => client.lpush(queue, "a"))
          const [{ lease } = { lease: { id: "", token: "" } }] = (yield* exchange()).grants
          const { grants, nextDueIn, settled } = yield* exchange([{ _tag: "Scheduled", lease, dueAt }])
          expect([settled, grants]).toEqual([[true], []])
          expect(Math.abs((nextDueIn ?? 0) - 5 * hour)).toBeLessThan(60_000)
          const [member, score] = yield* connection.use((client) => client.zrange(schedule, 0, -1, "WITHSCORES"))
          const [wanted = 0] = scores(name, [dueAt / 1_000])
          expect(member).toBe("a")
          expect(Number(score)).toBeCloseTo(wanted, 3)
          // Nothing of it is left here, not even its digest: it is no resend when its time has come.
          const own = yield* connection.use((client) => client.keys("{*"))
          expect(own.filter((key) => !/:q:(?:counters|answer:\w+)$/.test(key))).toEqual([])
          // Whoever held it settles nothing any more.
          expect((yield* exchange([{ _tag: "Done", lease }])).settled).toEqual([false])
          yield* connection.use((client) => client.zadd(schedule, 1, "a"))
          expect(yield* texts).toEqual(["a"])
        }).pipe(Effect.provide(store(port, TimeZone.scoreShift(DateTime.zoneUnsafeMakeNamed(name), true))))
      })
  )

  it.scopedLive("keeps a job whose score would be due at once until its time, lest it goes to and fro", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const dueAt = Date.now() + 400
      // Clocks go forward right before: the score falls back by an hour.
      const offset = (time: number) => (time < dueAt ? 0 : -3_600)
      yield* Effect.gen(function* () {
        yield* connection.use((client) => client.lpush(queue, "a"))
        const [{ lease } = { lease: { id: "", token: "" } }] = (yield* exchange()).grants
        const { grants, nextDueIn } = yield* exchange([{ _tag: "Scheduled", lease, dueAt }])
        expect(grants).toEqual([])
        expect(nextDueIn).toBeGreaterThan(0)
        expect(nextDueIn).toBeLessThanOrEqual(400)
        expect(yield* connection.use((client) => client.zcard(schedule))).toBe(0)
        const { grants: later, now } = yield* Effect.repeat(exchange(), {
          until: (reply) => reply.grants.length > 0
        })
        expect(now).toBeGreaterThanOrEqual(dueAt)
        expect(later).toMatchObject([{ attempts: 0, deliveries: 1 }])
      }).pipe(Effect.provide(store(port, offset)))
    })
  )

  it.scopedLive("fetches what is overdue by its own time, the first one first, and nothing else", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const now = Date.now() / 1_000
      const { use } = connection
      yield* Effect.gen(function* () {
        yield* use((client) => client.lpush(queue, "fresh"))
        // Written further and further in the west, or rightly not due.
        yield* use((client) =>
          client.zadd(
            schedule,
            now + 3_600,
            "overdue 1",
            now + 7_200,
            "tomorrow 1",
            now + 18_000,
            "overdue 2",
            now + 43_000,
            "overdue 3",
            now + 43_800,
            "overdue, in no zone on earth"
          )
        )
        const seen: Array<string> = []
        const isOverdue = (text: string) => {
          seen.push(text)
          return text.startsWith("overdue")
        }
        expect(yield* advance(isOverdue)).toBe(3)
        expect(seen).toEqual(["overdue 1", "tomorrow 1", "overdue 2", "overdue 3"])
        expect(yield* texts).toEqual(["overdue 1", "overdue 2", "overdue 3", "fresh"])
        expect(yield* use((client) => client.zrange(schedule, 0, -1))).toEqual([
          "tomorrow 1",
          "overdue, in no zone on earth"
        ])
        expect(yield* advance(() => false)).toBe(0)
      }).pipe(Effect.provide(store(port, () => 0)))
    })
  )

  it.scopedLive("sees a long schedule in several looks, again and again", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const now = Date.now() / 1_000
      const count = 1_200
      const members = Array.from({ length: count }, (_, index) => [now + 600 + index, `message ${index}`]).flat()
      yield* connection.use((client) => client.zadd(schedule, ...members))
      yield* Effect.gen(function* () {
        const seen = new Set<string>()
        const pages: Array<number> = []
        const look = (overdue: string) => {
          let page = 0
          return Effect.tap(
            advance((text) => {
              page += 1
              seen.add(text)
              return text === overdue
            }),
            () => Effect.sync(() => pages.push(page))
          )
        }
        expect(yield* look("message 0")).toBe(1)
        expect(yield* look("message 999")).toBe(1)
        expect(yield* look("none")).toBe(0)
        expect(seen.size).toBe(count)
        expect(pages).toEqual([500, 500, 200])
        yield* look("none")
        // One that comes due later is seen in the next round.
        expect(yield* look("message 1")).toBe(1)
        expect(pages).toEqual([500, 500, 200, 0, 500])
        // A few that are large fill a look.
        const large = "x".repeat(400_000)
        yield* connection.use((client) =>
          client.zadd(schedule, now + 1, `1${large}`, now + 2, `2${large}`, now + 3, `3${large}`)
        )
        yield* look("none")
        yield* look("none")
        yield* look("none")
        yield* look("none")
        expect(pages.slice(5)).toEqual([500, 201, 0, 3])
      }).pipe(Effect.provide(store(port, () => 0)))
    })
  )
})
