/**
 * The rights that the README recommends: enough for all that a server and a worker do, and no more.
 */
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Huey from "../../src/Huey.ts"
import * as JobId from "../../src/JobId.ts"
import * as RedisQueue from "../../src/JobQueue/Redis.ts"
import * as RedisStore from "../../src/JobStore/Redis.ts"
import { type DeadLetter, JobStore } from "../../src/JobStore.ts"
import { maxStates } from "../../src/Mailer/Breaker/BreakerStore.ts"
import * as RedisBreakers from "../../src/Mailer/Breaker/Redis.ts"
import * as Connection from "../../src/Redis/Connection.ts"
import * as Redis from "../../src/Redis.ts"
import { suite } from "../JobStore/contract.ts"
import * as RedisServer from "../services/RedisServer.ts"

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
const rules = readme.match(/^ACL SETUSER .*$/gm) ?? []

/** Gives a server the README's users, for the queue of this name. */
const setUsers = (server: RedisServer.Server, queueName: string) =>
  Effect.forEach(rules, (rule) => {
    const [command = "", ...words] = rule.replaceAll(/\.huey\b/g, `.${queueName}`).split(" ")
    return server.connection.use((client) => client.call(command, ...words))
  })

const as = (port: number, username: "mfa-server" | "mfa-worker") => ({
  host: "127.0.0.1",
  port,
  db: 0,
  username,
  password: Redacted.make(username === "mfa-server" ? "server-password" : "worker-password")
})

const store = (port: number, queueName: string, lease: Duration.Duration) =>
  RedisStore.layer({ queueName, lease, scheduleOffset: () => 0, block: Option.some(5) }).pipe(
    Layer.provide(Redis.layer(as(port, "mfa-worker")))
  )

/** Both sides of a queue of its own, each as its user. */
const queue = (lease: Duration.Duration) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const server = yield* RedisServer.RedisServer
      const queueName = (yield* JobId.make).replaceAll("-", "")
      yield* setUsers(server, queueName)
      return Layer.merge(
        RedisQueue.layer({ queueName, codec: Huey.make() }).pipe(
          Layer.provide(Redis.layer(as(server.port, "mfa-server")))
        ),
        store(server.port, queueName, lease)
      )
    })
  ).pipe(Layer.provide(RedisServer.layer), Layer.orDie)

suite("Redis, with the rights of the README alone", queue)

const denied = (effect: Effect.Effect<unknown, { readonly reason: string }>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

describe("the rights of the README", () => {
  it("are those of two users", () => {
    expect(rules.map((rule) => rule.split(" ", 3).join(" "))).toEqual([
      "ACL SETUSER mfa-server",
      "ACL SETUSER mfa-worker"
    ])
  })

  it("are those to all commands of the scripts and of the connections, and to no other", () => {
    const scripts = ["../../src/JobStore/", "../../src/Mailer/Breaker/"].flatMap((path) => {
      const directory = new URL(path, import.meta.url)
      return readdirSync(directory).map((name) => readFileSync(new URL(name, directory), "utf8"))
    })
    const called = scripts.flatMap((text) => [...text.matchAll(/redis\.p?call\('([A-Z]+)'/g)])
    const own = ["ping", "info", "blmove", "eval", "evalsha", "zrange"]
    const granted = rules[1]?.match(/(?<=\+)\S+/g) ?? []
    expect([...granted].sort()).toEqual(
      [...new Set([...called.map(([, name = ""]) => name.toLowerCase()), ...own])].sort()
    )
  })

  it.scopedLive("let a worker decide about a backlog, and give back all that it has", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* setUsers(server, "huey")
      const letter: DeadLetter = {
        jobId: "",
        job: "",
        reason: "Backlog",
        detail: "",
        attempts: 0,
        deliveries: 0,
        firstTakenAt: 0
      }
      yield* Effect.gen(function* () {
        const { admit, buryBacklog, drain, exchange, peek, workers } = yield* JobStore
        yield* use((client) => client.lpush("huey.redis.huey", "a", "b"))
        expect(yield* admit(1, undefined)).toEqual({ _tag: "Undecided", waiting: 2 })
        yield* admit(1, "bury")
        expect(yield* buryBacklog(() => letter)).toBe(0)
        yield* use((client) => client.lpush("huey.redis.huey", "c", "c"))
        // More digests than are kept, so that the oldest go.
        const fill = "for i = 1, 100001 do redis.call('ZADD', KEYS[1], 4e12, i) end"
        yield* use((client) => client.eval(fill, 1, "{huey.redis.huey}:q:seen"))
        expect((yield* exchange([], 2)).grants).toHaveLength(1)
        expect(yield* workers).toBe(1)
        expect(yield* peek("inHand", 2)).toHaveLength(1)
        expect(yield* peek("waiting", 2)).toEqual([])
        expect(yield* drain({ force: true })).toEqual({ arrived: 0, inHand: 1, due: 0, later: 0 })
      }).pipe(Effect.provide(store(server.port, "huey", Duration.seconds(30))))
    })
  )

  it.scopedLive("let a worker put a job back into the schedule, and fetch one from there that is overdue", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const { use } = server.connection
      yield* setUsers(server, "huey")
      yield* Effect.gen(function* () {
        const { advance, exchange } = yield* JobStore
        yield* use((client) => client.lpush("huey.redis.huey", "a"))
        const [{ lease } = { lease: { id: "", token: "" } }] = (yield* exchange([], 1)).grants
        yield* exchange([{ _tag: "Scheduled", lease, dueAt: Date.now() + 60_000 }], 1)
        expect(yield* use((client) => client.zrange("huey.schedule.huey", 0, -1))).toEqual(["a"])
        expect(yield* advance(() => true)).toBe(1)
        expect((yield* exchange([], 1)).grants).toHaveLength(1)
      }).pipe(Effect.provide(store(server.port, "huey", Duration.seconds(30))))
    })
  )

  it.scopedLive("let a worker be woken, put back what that moved, and be advised", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      yield* setUsers(server, "huey")
      yield* server.connection.use((client) => client.lpush("huey.redis.huey", "message"))
      yield* Effect.provide(
        Effect.flatMap(JobStore, ({ arrival }) => arrival(0)),
        store(server.port, "huey", Duration.seconds(30))
      )
      expect(yield* server.connection.use((client) => client.lrange("huey.redis.huey", 0, -1))).toEqual(["message"])
      const redis = Redis.make(as(server.port, "mfa-worker"))
      expect(yield* redis.advice(yield* redis.connect("worker"))).toEqual([])
      yield* server.connection.use((client) => client.config("SET", "maxmemory-policy", "allkeys-lru"))
      expect(yield* redis.advice(yield* redis.connect("worker"))).toHaveLength(1)
      // Nothing was tried that is not allowed, but for the question after the settings.
      const log = yield* server.connection.use((client) => client.acl("LOG"))
      const objects = (Array.isArray(log) ? log : []).map(
        (entry: ReadonlyArray<unknown>) => entry[entry.indexOf("object") + 1]
      )
      expect(objects).not.toEqual([])
      for (const object of objects) expect(object).toMatch(/^config(\|get)?$/)
    })
  )

  it.scopedLive("let a worker share the breakers of mail servers, more than are kept", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      yield* setUsers(server, "huey")
      const { exchange } = yield* RedisBreakers.make("huey").pipe(
        Effect.provide(Redis.layer(as(server.port, "mfa-worker")))
      )
      for (let index = 0; index <= maxStates; index++) {
        yield* exchange(`${index}`, { expected: "", next: `${4e12 + index}||` })
      }
      const size = yield* server.connection.use((client) => client.hlen("{huey.redis.huey}:q:breaker"))
      expect(size).toBe(maxStates)
    })
  )

  it.scopedLive("let a server neither take nor read, and a worker do nothing to other keys", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      yield* setUsers(server, "huey")
      const producer = yield* Connection.connect(as(server.port, "mfa-server"), "producer")
      expect(yield* producer.use((client) => client.lpush("huey.redis.huey", "message"))).toBe(1)
      expect(yield* denied(producer.use((client) => client.rpop("huey.redis.huey")))).toBe("Denied")
      expect(yield* denied(producer.use((client) => client.lrange("huey.redis.huey", 0, -1)))).toBe("Denied")
      expect(yield* denied(producer.use((client) => client.lpush("huey.redis.other", "x")))).toBe("Denied")
      expect(yield* denied(producer.use((client) => client.keys("*")))).toBe("Denied")
      const worker = yield* Connection.connect(as(server.port, "mfa-worker"), "worker")
      expect(yield* worker.use((client) => client.lindex("huey.redis.huey", -1))).toBe("message")
      expect(yield* denied(worker.use((client) => client.flushall()))).toBe("Denied")
      expect(yield* denied(worker.use((client) => client.keys("*")))).toBe("Denied")
      expect(yield* denied(worker.use((client) => client.config("GET", "*")))).toBe("Denied")
      expect(yield* denied(worker.use((client) => client.lindex("huey.redis.other", -1)))).toBe("Denied")
      expect(yield* denied(worker.use((client) => client.hget("{huey.redis.other}:q:job", "id")))).toBe("Denied")
    })
  )

  it.scopedLive("grow by select and client|setname for a database and a name", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      yield* setUsers(server, "huey")
      const address = { ...as(server.port, "mfa-worker"), db: 2, clientName: "mfa" }
      const before = yield* Connection.connect(address, "worker")
      expect(yield* denied(before.use((client) => client.ping()))).toBe("Denied")
      yield* server.connection.use((client) =>
        client.call("ACL", "SETUSER", "mfa-worker", "+select", "+client|setname")
      )
      const after = yield* Connection.connect(address, "worker")
      expect(yield* after.use((client) => client.ping())).toBe("PONG")
      const clients = yield* server.connection.use((client) => client.client("LIST"))
      expect(String(clients)).toMatch(/ name=mfa .* db=2 /)
    })
  )
})
