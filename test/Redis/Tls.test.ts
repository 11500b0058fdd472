import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Connection from "../../src/Redis/Connection.ts"
import * as Url from "../../src/Redis/Url.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as ScriptedServer from "./ScriptedServer.ts"

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))

const ca = `ssl_ca_certs=${fixture("redis/ca.pem")}`

/** Answers to a PING by way of a URL. */
const ping = (url: string) =>
  Effect.gen(function* () {
    const { address } = Either.getOrThrow(Url.parse(url))
    const connection = yield* Connection.connect(address, "worker")
    return yield* connection.use((client) => client.ping())
  }).pipe(Effect.scoped)

const refusal = (url: string) => Effect.map(Effect.flip(ping(url)), ({ reason, message }) => `${reason}: ${message}`)

describe("rediss://", () => {
  it.scopedLive("accepts a certificate of the CA that is named, by file, directory or text", () =>
    Effect.gen(function* () {
      const { tlsPort } = yield* RedisServer.makeTls("server.pem")
      const text = encodeURIComponent(readFileSync(fixture("redis/ca.pem"), "utf8"))
      for (const host of ["localhost", "127.0.0.1"]) {
        for (const way of [ca, `ssl_ca_path=${fixture("redis")}`, `ssl_ca_data=${text}`]) {
          expect(yield* ping(`rediss://${host}:${tlsPort}?${way}`)).toBe("PONG")
        }
      }
    })
  )

  it.scopedLive("refuses a certificate of another CA, of another name, and one that has expired", () =>
    Effect.gen(function* () {
      const { tlsPort } = yield* RedisServer.makeTls("server.pem")
      const from = "Tls: Redis' certificate is not accepted"
      const unknown = yield* refusal(`rediss://localhost:${tlsPort}`)
      expect(unknown).toBe(`${from} (SELF_SIGNED_CERT_IN_CHAIN): name its CA by ssl_ca_certs in the URL`)
      const other = yield* refusal(`rediss://localhost:${tlsPort}?ssl_ca_certs=${fixture("cert.pem")}`)
      expect(other).toBe(`${from} (SELF_SIGNED_CERT_IN_CHAIN): name its CA by ssl_ca_certs in the URL`)
      const elsewhere = yield* RedisServer.makeTls("elsewhere.pem")
      const name = yield* refusal(`rediss://localhost:${elsewhere.tlsPort}?${ca}`)
      expect(name).toBe(`${from} (ERR_TLS_CERT_ALTNAME_INVALID): it is not for the host's name in the URL`)
      const expired = yield* RedisServer.makeTls("expired.pem")
      expect(yield* refusal(`rediss://localhost:${expired.tlsPort}?${ca}`)).toBe(
        `${from} (CERT_HAS_EXPIRED): it has expired`
      )
    })
  )

  it.scopedLive("switches checks off only as the URL says", () =>
    Effect.gen(function* () {
      const { tlsPort } = yield* RedisServer.makeTls("elsewhere.pem")
      expect(yield* ping(`rediss://localhost:${tlsPort}?${ca}&ssl_check_hostname=false`)).toBe("PONG")
      expect(yield* ping(`rediss://localhost:${tlsPort}?ssl_cert_reqs=none`)).toBe("PONG")
      // Without the check of the name, the certificate still has to be of the CA.
      expect(yield* refusal(`rediss://localhost:${tlsPort}?ssl_check_hostname=false`)).toContain(
        "SELF_SIGNED_CERT_IN_CHAIN"
      )
    })
  )

  it.scopedLive("shows a client's certificate whose key is encrypted, and says why Redis refuses one without", () =>
    Effect.gen(function* () {
      const { tlsPort } = yield* RedisServer.makeTls("server.pem", "yes")
      const files = `ssl_certfile=${fixture("redis/client.pem")}&ssl_keyfile=${fixture("redis/client.key")}`
      expect(yield* ping(`rediss://localhost:${tlsPort}?${ca}&${files}&ssl_password=secret`)).toBe("PONG")
      expect(yield* refusal(`rediss://localhost:${tlsPort}?${ca}&${files}&ssl_password=wrong`)).toMatch(
        /^Tls: the ssl_ options of the Redis URL cannot be used together \(ERR_/
      )
      expect(yield* refusal(`rediss://localhost:${tlsPort}?${ca}`)).toMatch(/^Tls: TLS with Redis fails \(ERR_SSL_/)
    })
  )

  it.scopedLive("speaks no TLS older than it is told", () =>
    Effect.gen(function* () {
      const { tlsPort, connection } = yield* RedisServer.makeTls("server.pem")
      yield* connection.use((client) => client.config("SET", "tls-protocols", "TLSv1.2"))
      expect(yield* ping(`rediss://localhost:${tlsPort}?${ca}&ssl_min_version=771`)).toBe("PONG")
      expect(yield* refusal(`rediss://localhost:${tlsPort}?${ca}&ssl_min_version=772`)).toMatch(/^Tls: /)
      expect(yield* ping(`rediss://localhost:${tlsPort}?${ca}&ssl_ciphers=ECDHE-ECDSA-AES256-GCM-SHA384`)).toBe("PONG")
      expect(yield* refusal(`rediss://localhost:${tlsPort}?${ca}&ssl_ciphers=nothing`)).toMatch(
        /^Tls: the ssl_ options/
      )
    })
  )

  it.scopedLive("names option and file where a file is of no use", () =>
    Effect.gen(function* () {
      const url = "rediss://localhost:1?"
      expect(yield* refusal(`${url}ssl_ca_certs=/nowhere/ca.pem`)).toBe(
        "Tls: ssl_ca_certs /nowhere/ca.pem cannot be read (ENOENT)"
      )
      expect(yield* refusal(`${url}ssl_ca_path=/nowhere`)).toBe("Tls: ssl_ca_path /nowhere cannot be read (ENOENT)")
      expect(yield* refusal(`${url}ssl_certfile=/nowhere/c`)).toBe(
        "Tls: ssl_certfile /nowhere/c cannot be read (ENOENT)"
      )
      expect(yield* refusal(`${url}ssl_ca_certs=${fixture("key.pem")}`)).toBe(
        `Tls: ssl_ca_certs ${fixture("key.pem")} holds no certificate in PEM`
      )
    })
  )

  it.scopedLive("says so where no TLS is spoken", () =>
    Effect.gen(function* () {
      const http = yield* ScriptedServer.make(() => "HTTP/1.1 400 Bad Request\r\n\r\n")
      expect(yield* refusal(`rediss://localhost:${http.port}`)).toBe(
        "Tls: what answers there does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)"
      )
      // A Redis takes the greeting for the beginning of a command, and waits for the rest.
      const { port } = yield* RedisServer.make()
      expect(yield* refusal(`rediss://localhost:${port}?socket_timeout=0.5`)).toBe(
        "Connection: Redis does not answer (no reply within 500 ms; does it speak TLS on that port?)"
      )
    })
  )
})

describe("unix:// and users", () => {
  it.scopedLive("reaches a Redis by its socket, in a database of its own, as a user of its ACL", () =>
    Effect.gen(function* () {
      const { connection } = yield* RedisServer.make(["--unixsocket", "redis.sock"])
      const directory = yield* connection.use((client) => client.config("GET", "dir"))
      yield* connection.use((client) => client.call("ACL", "SETUSER", "mfa", "on", ">p%w", "~*", "+@all"))
      const path = `${String(Array.isArray(directory) ? directory[1] : "")}/redis.sock`
      const { address } = Either.getOrThrow(Url.parse(`unix://mfa:p%25w@${path}?db=3&client_name=worker`))
      const socket = yield* Connection.connect(address, "worker")
      expect(yield* socket.use((client) => client.acl("WHOAMI"))).toBe("mfa")
      expect(yield* socket.use((client) => client.client("INFO"))).toMatch(/ name=worker .* db=3 /)
      const wrong = yield* Connection.connect({ ...address, password: Redacted.make("no") }, "worker")
      expect(yield* Effect.flip(wrong.use((client) => client.ping()))).toMatchObject({ reason: "Auth" })
      const nowhere = yield* Connection.connect({ ...address, path: `${path}.no` }, "worker")
      expect(yield* Effect.flip(nowhere.use((client) => client.ping()))).toMatchObject({
        message: "Redis does not answer (ENOENT)"
      })
    })
  )

  it.scopedLive("waits for a reply as long as the URL says", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const { address } = Either.getOrThrow(Url.parse(`redis://127.0.0.1:${port}?socket_timeout=0.2`))
      const connection = yield* Connection.connect(address, "worker")
      const error = yield* Effect.flip(connection.use((client) => client.brpop("nothing", 60)))
      expect(error.message).toBe("Redis does not answer (no reply within 200 ms)")
    })
  )
})
