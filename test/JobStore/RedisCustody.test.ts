/**
 * What the store on Redis keeps of messages beyond the contract: that a resend is one message, that a lost answer costs no
 * lease, what a dead letter tells, and the way back to huey's list.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Huey from "../../src/Huey.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { type DeadLetter, type Grant, JobStore, type Settlement } from "../../src/JobStore.ts"
import type { RedisConnection } from "../../src/Redis/Connection.ts"
import { RedisError } from "../../src/Redis/RedisError.ts"
import * as Redis from "../../src/Redis.ts"
import * as HueySamples from "../services/HueySamples.ts"
import * as RedisServer from "../services/RedisServer.ts"

const options = {
  queueName: "huey",
  lease: Duration.seconds(30),
  scheduleOffset: () => 0,
  block: Option.some(5)
}

const store = (port: number) =>
  RedisStore.layer(options).pipe(Layer.provide(Redis.layer({ host: "127.0.0.1", port, db: 0 })))

const exchange = (settlements: ReadonlyArray<Settlement> = [], free = 8) =>
  Effect.flatMap(JobStore, (it) => it.exchange(settlements, free))

const text = ({ bytes }: Grant) => Buffer.from(bytes).toString()

const done = ({ lease }: Grant): Settlement => ({ _tag: "Done", lease })

const own = (name: string) => `{huey.redis.huey}:q:${name}`

const letter: DeadLetter = {
  jobId: "the id",
  job: "the job",
  reason: "Failed",
  detail: "550 no user",
  attempts: 1,
  deliveries: 1,
  firstTakenAt: 0
}

/** The fields of all dead letters, in order. */
const deadLetters = ({ use }: RedisConnection) =>
  Effect.map(
    use((client) => client.xrange(own("dead"), "-", "+")),
    (entries) => entries.map(([, [, json = "", , history = ""]]) => ({ letter: JSON.parse(json), history }))
  )

const codec = Huey.make()

const message = (id: string) =>
  Effect.map(
    codec.encode(Huey.message({ id, name: "test.job", call: { args: [`secret of ${id}`], kwargs: {} } })),
    (bytes) => Buffer.from(bytes)
  )

describe("JobStore.Redis, leases", () => {
  it.scopedLive("last as long as was said and up to a quarter more, by chance, new and extended", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        const lease = Duration.toMillis(options.lease)
        const { extend } = yield* JobStore
        const begun: Array<number> = []
        const extended: Array<number> = []
        for (let index = 0; index < 20; index++) {
          yield* connection.use((client) => client.lpush("huey.redis.huey", `message ${index}`))
          const { grants, now } = yield* exchange()
          for (const grant of grants) {
            const end = connection.use((client) => client.zscore(own("inflight"), grant.lease.id))
            begun.push(Number(yield* end) - now)
            yield* extend([grant.lease])
            const [seconds, micros] = yield* connection.use((client) => client.time())
            extended.push(Number(yield* end) - (Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)))
          }
        }
        expect(begun).toHaveLength(20)
        expect(Math.min(...begun)).toBeGreaterThanOrEqual(lease)
        for (const ends of [begun, extended]) {
          expect(Math.max(...ends)).toBeLessThanOrEqual(lease * 1.25)
          // One that is not spread is over within a few milliseconds of the others'.
          expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(lease / 20)
        }
      }).pipe(Effect.provide(store(port)))
    })
  )
})

describe("JobStore.Redis, resends", () => {
  it.scopedLive("grants a message that was pushed twice once, in hand or done, and says so", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        yield* connection.use((client) => client.lpush("huey.redis.huey", "a", "a", "b"))
        const first = yield* exchange()
        expect(first.grants.map(text)).toEqual(["a", "b"])
        expect(first.duplicates).toBe(1)
        yield* connection.use((client) => client.lpush("huey.redis.huey", "a"))
        expect(yield* exchange()).toMatchObject({ grants: [], duplicates: 1 })
        yield* exchange(first.grants.map(done))
        yield* connection.use((client) => client.lpush("huey.redis.huey", "b", "c"))
        const last = yield* exchange()
        expect(last.grants.map(text)).toEqual(["c"])
        expect(last.duplicates).toBe(1)
        yield* exchange(last.grants.map(done))
        expect(yield* connection.use((client) => client.hlen(own("job")))).toBe(0)
      }).pipe(Effect.provide(store(port)))
    })
  )

  it.scopedLive("takes the same bytes anew a day later", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      yield* Effect.gen(function* () {
        yield* use((client) => client.lpush("huey.redis.huey", "a"))
        const { grants, now } = yield* exchange()
        yield* exchange(grants.map(done))
        const [digest = ""] = yield* use((client) => client.zrange(own("seen"), 0, -1))
        const day = 24 * 3_600_000
        for (const [age, count] of [
          [day - 60_000, 0],
          [day, 1]
        ] as const) {
          yield* use((client) => client.zadd(own("seen"), now - age, digest))
          yield* use((client) => client.lpush("huey.redis.huey", "a"))
          expect((yield* exchange()).grants).toHaveLength(count)
        }
      }).pipe(Effect.provide(store(port)))
    })
  )

  it.scopedLive("remembers at most a hundred thousand of them", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const fill = "for i = 1, 100064 do redis.call('ZADD', KEYS[1], redis.call('TIME')[1] * 1000, i) end"
      yield* connection.use((client) => client.eval(fill, 1, own("seen")))
      yield* Effect.provide(exchange(), store(port))
      expect(yield* connection.use((client) => client.zcard(own("seen")))).toBe(100_000)
    })
  )

  it.scopedLive("comes round soon where a flood of resends stands before a fresh message", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        yield* connection.use((client) => client.lpush("huey.redis.huey", ...Array<string>(101).fill("a"), "fresh"))
        expect(yield* exchange()).toMatchObject({ duplicates: 64, nextDueIn: 0 })
        const { duplicates, grants } = yield* exchange()
        expect(duplicates).toBe(36)
        expect(grants.map(text)).toEqual(["fresh"])
      }).pipe(Effect.provide(store(port)))
    })
  )
})

describe("JobStore.Redis, answers that get lost", () => {
  /** The next `denied` exchanges do not reach Redis; of those that do the answers of the next `lost` do not arrive. */
  const losing = (port: number) => {
    const state = { denied: 0, lost: 0 }
    const error = new RedisError({ reason: "Connection", detail: "lost" })
    const redis = Redis.make({ host: "127.0.0.1", port, db: 0 })
    const layer = RedisStore.layer(options).pipe(
      Layer.provide(
        Layer.succeed(Redis.Redis, {
          ...redis,
          connect: (profile) =>
            Effect.map(
              redis.connect(profile),
              (connection): RedisConnection => ({
                ...connection,
                run: (script, ...rest) =>
                  script.name === "exchange" && state.denied-- > 0
                    ? Effect.fail(error)
                    : Effect.flatMap(connection.run(script, ...rest), (reply) =>
                        script.name === "exchange" && state.lost-- > 0 ? Effect.fail(error) : Effect.succeed(reply)
                      )
              })
            )
        })
      )
    )
    return { layer, state }
  }

  for (const lost of [1, 2, 5]) {
    it.scopedLive(`grants at once what ${lost} of them held, as if for the first time`, () =>
      Effect.gen(function* () {
        const { connection, port } = yield* RedisServer.make()
        const { layer, state } = losing(port)
        yield* Effect.gen(function* () {
          yield* connection.use((client) => client.lpush("huey.redis.huey", "a", "b"))
          state.lost = lost
          for (let time = 0; time < lost; time++) expect((yield* Effect.flip(exchange([], 2))).detail).toBe("lost")
          const { grants } = yield* exchange([], 2)
          expect(grants.map(text)).toEqual(["a", "b"])
          expect(grants.map(({ deliveries }) => deliveries)).toEqual([1, 1])
          expect((yield* exchange(grants.map(done), 2)).settled).toEqual([true, true])
        }).pipe(Effect.provide(layer))
      })
    )
  }

  for (const denied of [0, 100]) {
    it.scopedLive(`grants at once what two at a time held, ${denied} failures later`, () =>
      Effect.gen(function* () {
        const { connection, port } = yield* RedisServer.make()
        const { layer, state } = losing(port)
        yield* Effect.gen(function* () {
          yield* connection.use((client) => client.lpush("huey.redis.huey", "a", "b"))
          state.lost = 2
          yield* Effect.replicateEffect(Effect.flip(exchange([], 1)), 2, { concurrency: 2 })
          state.denied = denied
          yield* Effect.replicateEffect(Effect.flip(exchange([], 2)), denied)
          state.denied = 0
          const { grants } = yield* exchange([], 2)
          expect(grants.map(text).sort()).toEqual(["a", "b"])
          expect(grants.map(({ deliveries }) => deliveries)).toEqual([1, 1])
          expect((yield* exchange(grants.map(done), 2)).settled).toEqual([true, true])
        }).pipe(Effect.provide(layer))
      })
    )
  }

  it.scopedLive("takes back what one of two at a time held, and nothing of the other", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { layer, state } = losing(port)
      yield* Effect.gen(function* () {
        yield* connection.use((client) => client.lpush("huey.redis.huey", "a", "b"))
        state.lost = 1
        const two = yield* Effect.replicateEffect(Effect.either(exchange([], 1)), 2, { concurrency: 2 })
        const arrived = two.flatMap((it) => (it._tag === "Right" ? it.right.grants : []))
        expect(arrived).toHaveLength(1)
        const { grants } = yield* exchange([], 2)
        expect(grants).toHaveLength(1)
        expect([...arrived, ...grants].map(text).sort()).toEqual(["a", "b"])
        expect((yield* exchange([...arrived, ...grants].map(done), 2)).settled).toEqual([true, true])
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("takes nothing back from a worker whose answers arrive", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { layer, state } = losing(port)
      yield* Effect.gen(function* () {
        yield* connection.use((client) => client.lpush("huey.redis.huey", "a", "b"))
        const { grants } = yield* exchange([], 1)
        // This one is lost, and granted nothing.
        state.lost = 1
        yield* Effect.flip(exchange([], 0))
        const rest = yield* exchange([], 2)
        expect(rest.grants.map(text)).toEqual(["b"])
        expect((yield* exchange(grants.map(done), 0)).settled).toEqual([true])
      }).pipe(Effect.provide(layer))
    })
  )
})

describe("JobStore.Redis, dead letters", () => {
  it.scopedLive("tell the reason and the last failures, and hold nothing of the message", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* Effect.gen(function* () {
        const bytes = yield* message("one")
        yield* connection.use((client) => client.lpush("huey.redis.huey", bytes))
        for (let attempt = 1; attempt <= 12; attempt++) {
          const { grants } = yield* exchange()
          yield* exchange(
            grants.map(({ lease }): Settlement => {
              const detail = `451 try ${attempt}\nlater`
              return { _tag: "Retry", lease, delay: 0, counted: true, detail }
            }),
            0
          )
        }
        const { grants, now } = yield* exchange()
        yield* exchange(grants.map(({ lease }): Settlement => ({ _tag: "Dead", lease, letter })))
        const letters = yield* deadLetters(connection)
        expect(letters.map((it) => it.letter)).toEqual([letter])
        const lines = letters[0]?.history.split("\n") ?? []
        expect(lines.map((line) => line.replace(/^\d+ /, ""))).toEqual(
          Array.from({ length: 10 }, (_, index) => `${index + 3} 451 try ${index + 3}\\nlater`)
        )
        for (const line of lines) expect(Math.abs(Number(line.split(" ")[0]) - now)).toBeLessThan(60_000)
        const all = JSON.stringify(yield* connection.use((client) => client.xrange(own("dead"), "-", "+")))
        expect(all).not.toContain("secret")
        // And nothing else is left of it.
        for (const hash of ["job", "meta", "history"]) {
          expect(yield* connection.use((client) => client.hlen(own(hash)))).toBe(0)
        }
      }).pipe(Effect.provide(store(port)))
    })
  )

  it.scopedLive("go after ninety days", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const { now } = yield* Effect.provide(exchange(), store(port))
      const days = (count: number) => now - count * 24 * 3_600_000
      yield* use((client) => client.xadd(own("dead"), `${days(91)}-0`, "letter", "{}", "history", ""))
      yield* use((client) => client.xadd(own("dead"), `${days(89)}-0`, "letter", "{}", "history", ""))
      // The first exchange of a store is a whole one, and then one in five minutes where there is nothing to take.
      yield* Effect.provide(exchange(), store(port))
      const left = yield* use((client) => client.xrange(own("dead"), "-", "+"))
      expect(left.map(([id]) => id)).toEqual([`${days(89)}-0`])
    })
  )
})

describe("JobStore.Redis, the first start", () => {
  const fill = Effect.fnUntraced(function* ({ use }: RedisConnection, count: number) {
    const messages = yield* Effect.forEach(Array.from({ length: count }), (_, index) => message(`id ${index}`))
    yield* use((client) => client.lpush("huey.redis.huey", ...messages))
  })
  const nameless = (): DeadLetter => ({ ...letter, reason: "Backlog" })

  it.scopedLive("takes a small backlog unasked, and a large one only when it is told to, once for ever", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* fill(connection, 11)
      yield* Effect.gen(function* () {
        const { admit, counts } = yield* JobStore
        expect(yield* admit(10, undefined)).toEqual({ _tag: "Undecided", waiting: 11 })
        expect((yield* counts).waiting).toBe(11)
        expect(yield* admit(0, undefined)).toEqual({ _tag: "Admitted" })
        expect(yield* admit(10, undefined)).toEqual({ _tag: "Admitted" })
        yield* connection.use((client) => client.flushall())
        yield* fill(connection, 11)
        expect(yield* admit(11, undefined)).toEqual({ _tag: "Admitted" })
        yield* connection.use((client) => client.flushall())
        yield* fill(connection, 11)
        expect(yield* admit(10, "send")).toEqual({ _tag: "Admitted" })
        // What was decided once is not decided again: this one buries nothing.
        expect(yield* admit(10, "bury")).toEqual({ _tag: "Admitted" })
        expect((yield* exchange([], 20)).grants).toHaveLength(11)
      }).pipe(Effect.provide(store(port)))
    })
  )

  it.scopedLive("buries what waited then and nothing that came later, in pieces, whoever goes on with it", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* fill(connection, 1_201)
      yield* connection.use((client) => client.zadd("huey.schedule.huey", 1, "due long ago"))
      const seen: Array<string> = []
      const look = (bytes: Uint8Array) => {
        seen.push(Buffer.from(bytes).toString("latin1"))
        return nameless()
      }
      yield* Effect.gen(function* () {
        const { admit, buryBacklog } = yield* JobStore
        expect(yield* admit(1_000, "bury")).toEqual({ _tag: "Burying", left: 1_202 })
        expect(yield* buryBacklog(look)).toBe(702)
        yield* connection.use((client) => client.zadd("huey.schedule.huey", Date.now() / 1_000 + 0.05, "due by now"))
      }).pipe(Effect.provide(store(port)))
      // That worker died. The next one was told nothing, and goes on.
      yield* Effect.gen(function* () {
        const { admit, buryBacklog, counts } = yield* JobStore
        expect(yield* admit(1_000, undefined)).toEqual({ _tag: "Burying", left: 702 })
        expect(yield* buryBacklog(look)).toBe(202)
        expect(yield* buryBacklog(look)).toBe(0)
        expect(yield* admit(1_000, undefined)).toEqual({ _tag: "Admitted" })
        expect(yield* counts).toMatchObject({ waiting: 0, scheduled: 1, dead: 1_202 })
      }).pipe(Effect.provide(store(port)))
      expect(seen[0]).toContain("id 0")
      // What was due goes last, and what came due only now is none of it.
      expect(seen.at(-1)).toBe("due long ago")
      expect(yield* connection.use((client) => client.zrange("huey.schedule.huey", 0, -1))).toEqual(["due by now"])
    })
  )

  it.scopedLive("buries no message that it did not look at", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      yield* fill(connection, 3)
      yield* Effect.gen(function* () {
        const { admit, buryBacklog, counts } = yield* JobStore
        yield* admit(1, "bury")
        let asked = 0
        // Another kind of worker takes the oldest while this one looks at it.
        const take = () => {
          if (asked++ === 0) taken = Effect.runPromise(connection.use((client) => client.rpop("huey.redis.huey")))
          return nameless()
        }
        let taken: Promise<unknown> = Promise.resolve()
        const left = yield* buryBacklog(take)
        yield* Effect.promise(() => taken)
        expect(left === 3 || left === 0).toBe(true)
        while ((yield* buryBacklog(nameless)) > 0);
        expect((yield* counts).waiting).toBe(0)
      }).pipe(Effect.provide(store(port)))
    })
  )
})

describe("JobStore.Redis, the way back", () => {
  it.scopedLive("puts all that it has in custody back on huey's list, the oldest to be taken first", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const letters = [..."abcdefghij"]
      yield* Effect.gen(function* () {
        yield* use((client) => client.lpush("huey.redis.huey", ...letters))
        const { grants } = yield* exchange([], 6)
        // In hand of a worker that died, to be tried later, released, done; and two that the wake-up moved.
        const [a, b, c, d] = grants
        if (a === undefined || b === undefined || c === undefined || d === undefined) return yield* Effect.fail("six")
        yield* exchange(
          [
            { _tag: "Retry", lease: b.lease, delay: 60_000, counted: true },
            { _tag: "Released", lease: c.lease },
            done(d)
          ],
          0
        )
        const { arrival, counts, drain } = yield* JobStore
        yield* Effect.zipRight(arrival(0), arrival(0))
        expect(yield* drain({ force: false })).toEqual({ arrived: 2, inHand: 3, due: 1, later: 1 })
        expect(yield* counts).toEqual({ waiting: 8, scheduled: 1, inHand: 0, retrying: 0, dead: 0 })
        const list = yield* use((client) => client.lrange("huey.redis.huey", 0, -1))
        expect([...list].reverse()).toEqual(["a", "c", "e", "f", "g", "h", "i", "j"])
        expect((yield* exchange([done(a)], 0)).settled).toEqual([false])
        // What is to be tried later keeps its time, where a Python worker looks for it.
        const [, due] = yield* use((client) => client.zrange("huey.schedule.huey", 0, -1, "WITHSCORES"))
        const seconds = Number(due) - Date.now() / 1000
        expect(seconds).toBeGreaterThan(40)
        expect(seconds).toBeLessThan(61)
        yield* use((client) => client.zadd("huey.schedule.huey", "XX", 1, "b"))
        // And they are no resends when they come back.
        const again = (yield* exchange([], 9)).grants.map(text)
        expect(again.sort()).toEqual(["a", "b", "c", "e", "f", "g", "h", "i", "j"])
      }).pipe(Effect.provide(store(port)))
    })
  )

  it.scopedLive("keeps every byte of what huey wrote, in hand, tried, tried in part, released", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make()
      const { use } = connection
      const samples = HueySamples.all.map(({ bytes }) => bytes)
      expect(samples.length).toBe(78 + 57)
      yield* Effect.gen(function* () {
        yield* use((client) => client.lpush("huey.redis.huey", ...samples))
        const { grants } = yield* exchange([], samples.length)
        expect(grants.map(({ bytes }) => Buffer.from(bytes))).toEqual(samples)
        const settlements = grants.flatMap(({ bytes, lease }, index): ReadonlyArray<Settlement> => {
          const retry = { _tag: "Retry", lease, delay: 60_000, counted: true } as const
          if (index % 4 === 0) return [{ _tag: "Released", lease }]
          return index % 4 === 1 ? [retry] : index % 4 === 2 ? [{ ...retry, bytes }] : []
        })
        yield* exchange(settlements, 0)
        yield* Effect.flatMap(JobStore, ({ drain }) => drain({ force: false }))
        const list = yield* use((client) => client.lrangeBuffer("huey.redis.huey", 0, -1))
        const isLater = (index: number) => index % 4 === 1 || index % 4 === 2
        expect([...list].reverse()).toEqual(samples.filter((_, index) => !isLater(index)))
        // What was tried and is to be tried later.
        const schedule = yield* use((client) => client.zrangeBuffer("huey.schedule.huey", 0, -1))
        const hex = (messages: ReadonlyArray<Uint8Array>) =>
          messages.map((it) => Buffer.from(it).toString("hex")).sort()
        expect(hex(schedule)).toEqual(hex(samples.filter((_, index) => isLater(index))))
      }).pipe(Effect.provide(store(port)))
    })
  )
})
