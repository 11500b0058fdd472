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

  /** Looks that say what they saw, and move what is named. */
  const looks = () => {
    const pages: Array<ReadonlyArray<string>> = []
    const look = (...overdue: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        const page: Array<string> = []
        pages.push(page)
        return advance((text) => {
          page.push(text)
          return overdue.includes(text)
        })
      })
    return { look, sizes: () => pages.map(({ length }) => length), seen: () => new Set(pages.flat()), pages }
  }

  const fill = (connection: RedisServer.Server["connection"], count: number, score: (index: number) => number) =>
    connection.use((client) =>
      client.zadd(schedule, ...Array.from({ length: count }, (_, index) => [score(index), `message ${index}`]).flat())
    )

  it.scopedLive("sees a long schedule in several looks, again and again, and what is in front in each of them", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const now = Date.now() / 1_000
      const count = 2_200
      yield* fill(connection, count, (index) => now + 600 + index)
      yield* Effect.gen(function* () {
        const { look, pages, seen, sizes } = looks()
        yield* look()
        // Something is put in front, and something behind is moved.
        yield* connection.use((client) => client.zadd(schedule, now + 500, "first"))
        expect(yield* look("first", "message 1200")).toBe(2)
        expect(pages[1]?.[0]).toBe("first")
        yield* look()
        yield* look()
        expect(sizes()).toEqual([1_000, 1_000, 1_000, 700])
        expect(seen().size).toBe(count + 1)
        // A round is over: the next one begins.
        yield* look()
        expect(pages[4]?.slice(500)).toEqual(pages[0]?.slice(500))
      }).pipe(Effect.provide(store(port, () => 0)))
    })
  )

  it.scopedLive("passes nothing by that others become due in front of meanwhile, nor among many of one time", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const now = Date.now() / 1_000
      const count = 2_200
      let offset = 0
      // From the thousandth on they are of one time, as at a full hour.
      yield* fill(connection, count, (index) => now + 600 + Math.min(index, 1_000))
      yield* Effect.gen(function* () {
        const { look, pages, seen } = looks()
        yield* look()
        offset = 900
        yield* look()
        expect(pages[1]?.[0]).toBe("message 301")
        yield* look()
        yield* look()
        expect(seen().size).toBe(count)
      }).pipe(Effect.provide(store(port, () => offset)))
    })
  )

  it.scopedLive("reads no more of large messages than a look is worth", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const now = Date.now() / 1_000
      const large = "x".repeat(400_000)
      const members = Array.from({ length: 40 }, (_, index) => [now + 60 + index, `${index} ${large}`]).flat()
      yield* connection.use((client) => client.zadd(schedule, ...members))
      yield* Effect.gen(function* () {
        const { look, pages } = looks()
        yield* look()
        const memory = yield* connection.use((client) => client.info("memory"))
        expect(Number(/used_memory_lua:(\d+)/.exec(memory)?.[1])).toBeLessThan(20 * 400_000)
        yield* look()
        const numbers = pages.map((page) => page.map((text) => Number.parseInt(text, 10)))
        expect(numbers).toEqual([
          [0, 1, 2, 3, 4, 5],
          [0, 1, 2, 6, 7, 8]
        ])
      }).pipe(Effect.provide(store(port, () => 0)))
    })
  )

  it.scopedLive("lets other work go on between two messages", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* fill(connection, 20, (index) => Date.now() / 1_000 + 600 + index)
      yield* Effect.gen(function* () {
        let turns = 0
        const seenAt: Array<number> = []
        const turning = setInterval(() => {
          turns += 1
        }, 1)
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(turning)))
        yield* advance(() => {
          const until = performance.now() + 3
          while (performance.now() < until);
          seenAt.push(turns)
          return false
        })
        expect(new Set(seenAt).size).toBe(20)
      }).pipe(Effect.provide(store(port, () => 0)))
    })
  )
})
