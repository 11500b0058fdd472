import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { warnings } from "../../src/Redis/advice.ts"
import * as Url from "../../src/Redis/Url.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const eviction = "Redis may throw messages away when its memory is full: set maxmemory-policy allkeys-lru to noeviction"
const volatile = "Redis keeps nothing on its disk, so a restart loses all messages: set appendonly to yes"
const unencrypted = "messages go to Redis over the network unencrypted, passwords and codes with them: use rediss://"

const advice = (url: string) =>
  Effect.gen(function* () {
    const redis = Redis.make(Either.getOrThrow(Url.parse(url)).address)
    return yield* redis.advice(yield* redis.connect("worker"))
  }).pipe(Effect.scoped)

describe("advice", () => {
  it.scopedLive("warns of what loses messages, and of nothing else", () =>
    Effect.gen(function* () {
      const { connection, url } = yield* RedisServer.make()
      const set = (name: string, value: string) => connection.use((client) => client.config("SET", name, value))
      expect(yield* advice(url)).toEqual([volatile])
      yield* set("maxmemory-policy", "allkeys-lru")
      expect(yield* advice(url)).toEqual([eviction, volatile])
      yield* set("save", "900 1")
      expect(yield* advice(url)).toEqual([eviction])
      yield* set("save", "")
      yield* set("appendonly", "yes")
      yield* set("maxmemory-policy", "noeviction")
      expect(yield* advice(url)).toEqual([])
    })
  )

  it.scopedLive("asks INFO where CONFIG is renamed or denied, and says nothing where that is denied, too", () =>
    Effect.gen(function* () {
      const renamed = yield* RedisServer.make(["--rename-command", "CONFIG", "", "--maxmemory-policy", "allkeys-lru"])
      // Whether there are snapshots is not to be learned from INFO.
      expect(yield* advice(renamed.url)).toEqual([eviction])
      const { connection, port } = yield* RedisServer.make(["--maxmemory-policy", "allkeys-lru"])
      yield* connection.use((client) => client.call("ACL", "SETUSER", "u", "on", ">pw", "~*", "+@all", "-config"))
      expect(yield* advice(`redis://u:pw@127.0.0.1:${port}`)).toEqual([eviction])
      yield* connection.use((client) => client.call("ACL", "SETUSER", "u", "-info"))
      expect(yield* advice(`redis://u:pw@127.0.0.1:${port}`)).toEqual([])
    })
  )

  it("warns of a Redis that is reached over the network without TLS", () => {
    const facts = { policy: "noeviction", appendOnly: true, snapshots: true }
    const address = (url: string) => Either.getOrThrow(Url.parse(url)).address
    expect(warnings({ ...facts, local: false }, address("redis://h"))).toEqual([unencrypted])
    expect(warnings({ ...facts, local: false }, address("rediss://h"))).toEqual([])
    expect(warnings({ ...facts, local: true }, address("redis://h"))).toEqual([])
  })

  it.scopedLive("knows a Redis of this machine by where its name leads, and by its socket", () =>
    Effect.gen(function* () {
      const { connection, port } = yield* RedisServer.make(["--appendonly", "yes", "--unixsocket", "redis.sock"])
      const directory = yield* connection.use((client) => client.config("GET", "dir"))
      const path = `${String(Array.isArray(directory) ? directory[1] : "")}/redis.sock`
      for (const url of [`redis://localhost:${port}`, `redis://127.0.0.1:${port}`, `unix://${path}`]) {
        expect(yield* advice(url)).toEqual([])
      }
    })
  )

  it.scopedLive("warns of checks that the URL switches off", () =>
    Effect.gen(function* () {
      const file = (name: string) => fileURLToPath(new URL(`../fixtures/tls/redis/${name}`, import.meta.url))
      const port = yield* RedisServer.freePort
      const files = ["--tls-cert-file", file("server.pem"), "--tls-key-file", file("server.key")]
      const more = ["--tls-ca-cert-file", file("ca.pem"), "--tls-auth-clients", "no", "--appendonly", "yes"]
      yield* RedisServer.make(["--tls-port", String(port), ...files, ...more])
      const ca = `ssl_ca_certs=${file("ca.pem")}`
      expect(yield* advice(`rediss://localhost:${port}?${ca}`)).toEqual([])
      expect(yield* advice(`rediss://localhost:${port}?ssl_cert_reqs=none`)).toEqual([
        "ssl_cert_reqs=none: whoever answers in Redis' place reads all; name its CA by ssl_ca_certs instead"
      ])
      expect(yield* advice(`rediss://localhost:${port}?${ca}&ssl_check_hostname=no`)).toEqual([
        "ssl_check_hostname=false: any host with a certificate of that CA may answer in Redis' place; remove it"
      ])
    })
  )

  it.scopedLive("makes nothing of answers that are none", () =>
    Effect.gen(function* () {
      const { port } = yield* ScriptedServer.make(ScriptedServer.polite(":7\r\n"))
      expect(yield* advice(`redis://127.0.0.1:${port}`)).toEqual([])
    })
  )
})
