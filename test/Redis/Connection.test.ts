import { execFile } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { build } from "esbuild"
import * as Connection from "../../src/Redis/Connection.ts"
import * as Script from "../../src/Redis/Script.ts"
import * as RedisServer from "../services/RedisServer.ts"
import * as ScriptedServer from "./ScriptedServer.ts"
import * as SwallowingProxy from "./SwallowingProxy.ts"

const address = (port: number) => ({ host: "127.0.0.1", port, db: 0 })

const ping = (connection: Connection.RedisConnection, silence?: number) =>
  connection.use((client) => client.ping(), silence)

const echo = Script.make({
  name: "echo",
  keys: ["first", "second"],
  args: ["word", "bytes"],
  body: "return { key_first, key_second, arg_word, arg_bytes, ARGV[first_rest] }",
  decode: (reply) => (Array.isArray(reply) ? Either.right(reply.map(String)) : Either.left("not a list"))
})

describe("Redis.Connection", () => {
  it.scopedLive("runs a script by name of its keys and arguments, also after SCRIPT FLUSH", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const connection = yield* Connection.connect({ ...address(port), clientName: "mfa-worker" }, "worker")
      const keys = { second: "k2", first: "k1" }
      const run = connection.run(echo, keys, { bytes: new Uint8Array([0x41]), word: "w" }, ["rest"])
      expect(yield* run).toEqual(["k1", "k2", "w", "A", "rest"])
      yield* connection.use((client) => client.script("FLUSH"))
      expect(yield* run).toEqual(["k1", "k2", "w", "A", "rest"])
      expect(yield* connection.use((client) => client.client("GETNAME"))).toBe("mfa-worker")
    })
  )

  it.scopedLive("runs a script behind a command, whose refusal counts, and whose end with the link is told once", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(server.port), "worker")
      const other = yield* Connection.connect(address(server.port), "worker")
      const behind = (command: Connection.Wait["command"]) =>
        connection.run(echo, { first: "k1", second: "k2" }, { word: "w", bytes: "A" }, ["rest"], {
          command,
          silence: 30_000
        })
      const reply = ["k1", "k2", "w", "A", "rest"]
      const count = behind((client) => client.incr("count"))
      // Redis does not have the script yet, has it, and has it no longer.
      expect(yield* count).toEqual(reply)
      expect(yield* count).toEqual(reply)
      yield* other.use((client) => client.script("FLUSH"))
      expect(yield* count).toEqual(reply)
      expect(yield* other.use((client) => client.get("count"))).toBe("3")

      const refused = behind((client) => client.call("NO.SUCH.COMMAND"))
      expect(yield* Effect.flip(refused)).toMatchObject({ reason: "Reply" })
      yield* other.use((client) => client.script("FLUSH"))
      expect(yield* Effect.flip(refused)).toMatchObject({ reason: "Reply" })
      expect(yield* count).toEqual(reply)

      const blocked = yield* Effect.fork(behind((client) => client.blmove("from", "to", "RIGHT", "LEFT", 0)))
      yield* Effect.repeat(RedisServer.blocked(server), { until: (count) => count === 1 })
      yield* other.use((client) => client.client("KILL", "TYPE", "normal", "SKIPME", "yes"))
      expect(yield* Effect.flip(Fiber.join(blocked))).toMatchObject({ reason: "Connection" })
      expect(yield* count).toEqual(reply)
    })
  )

  it.scopedLive("writes what is sent at the same time at once", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(port), "producer")
      const reads = Effect.map(
        connection.use((client) => client.info("stats")),
        (info) => Number(/total_reads_processed:(\d+)/.exec(info)?.[1])
      )
      const run = connection.run(echo, { first: "k1", second: "k2" }, { word: "w", bytes: new Uint8Array([0x41]) }, [
        "r"
      ])
      yield* run
      const before = yield* reads
      const replies = yield* Effect.all(
        Array.from({ length: 16 }, () => run),
        { concurrency: "unbounded" }
      )
      expect(replies).toEqual(Array.from({ length: 16 }, () => ["k1", "k2", "w", "A", "r"]))
      // One for the first script, one for the others, one for this question.
      expect((yield* reads) - before).toBeLessThanOrEqual(3)
    })
  )

  it.scopedLive("is busy until it has a link, and while a command waits for its reply", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(server.port), "worker")
      expect(connection.isBusy()).toBe(true)
      yield* ping(connection)
      expect(connection.isBusy()).toBe(false)
      const blocked = yield* Effect.fork(connection.use((client) => client.blpop("list", 0)))
      yield* Effect.repeat(Effect.sync(connection.isBusy), { until: (busy) => busy })
      yield* server.connection.use((client) => client.lpush("list", "a"))
      yield* Fiber.join(blocked)
      expect(connection.isBusy()).toBe(false)
      yield* connection.replace
      expect(connection.isBusy()).toBe(true)
    })
  )

  it.scopedLive("sorts what Redis answers", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(server.port), "worker")
      const failure = (effect: Effect.Effect<unknown, { readonly reason: string }>) =>
        Effect.map(Effect.flip(effect), ({ reason }) => reason)
      yield* connection.use((client) => client.set("text", "x"))
      expect(yield* failure(connection.use((client) => client.lpush("text", "y")))).toBe("WrongType")
      expect(yield* failure(connection.use((client) => client.call("NO.SUCH.COMMAND")))).toBe("Reply")
      yield* connection.use((client) => client.config("SET", "maxmemory", "1"))
      expect(yield* failure(connection.use((client) => client.set("more", "x")))).toBe("OutOfMemory")
      yield* connection.use((client) => client.config("SET", "maxmemory", "0"))
      yield* connection.use((client) => client.replicaof("127.0.0.1", "1"))
      const id = connection.use((client) => client.client("ID"))
      const before = yield* id
      expect(yield* failure(connection.use((client) => client.set("more", "x")))).toBe("ReadOnly")
      // The link to a replica is given up, so that a new one finds the new primary.
      expect(yield* id).not.toBe(before)
      yield* connection.use((client) => client.replicaof("NO", "ONE"))
      yield* connection.use((client) => client.config("SET", "requirepass", "secret"))
      for (const [password, reason] of [
        ["wrong", "Auth"],
        [undefined, "Auth"]
      ] as const) {
        const other = yield* Connection.connect(
          { ...address(server.port), ...(password === undefined ? {} : { password: Redacted.make(password) }) },
          "producer"
        )
        expect(yield* failure(ping(other))).toBe(reason)
      }
      const right = yield* Connection.connect(
        { ...address(server.port), password: Redacted.make("secret") },
        "producer"
      )
      expect(yield* ping(right)).toBe("PONG")
    })
  )

  it.scopedLive("fails at once, and with the reason, where nobody listens", () =>
    Effect.gen(function* () {
      const connection = yield* Connection.connect(address(yield* RedisServer.freePort), "producer")
      const error = yield* Effect.flip(ping(connection))
      expect(error).toMatchObject({ reason: "Connection", message: "Redis does not answer (ECONNREFUSED)" })
    })
  )

  it.scopedLive("replaces a link that has fallen silent, and one that was cut", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const proxy = yield* SwallowingProxy.make(server.port)
      const connection = yield* Connection.connect(address(proxy.port), "worker")
      expect(yield* ping(connection)).toBe("PONG")
      proxy.swallow("all")
      // What is in hand at the same time fails with it, and is not sent again.
      const [push, silent] = yield* Effect.all(
        [Effect.flip(connection.use((client) => client.lpush("list", "x"))), Effect.flip(ping(connection, 200))],
        { concurrency: "unbounded" }
      )
      const words = { reason: "Connection", message: "Redis does not answer (no reply within 200 ms)" }
      expect([push, silent]).toMatchObject([words, words])
      proxy.swallow("nothing")
      expect(yield* connection.use((client) => client.llen("list"))).toBe(0)
      proxy.swallow("replies")
      const pending = yield* Effect.fork(Effect.flip(connection.use((client) => client.lpush("list", "x"))))
      yield* Effect.repeat(
        server.connection.use((client) => client.llen("list")),
        { until: (length) => length === 1 }
      )
      proxy.swallow("nothing")
      proxy.cut()
      expect(yield* pending).toMatchObject({ reason: "Connection", message: "Redis does not answer (connection lost)" })
      expect(yield* connection.use((client) => client.llen("list"))).toBe(1)
      yield* server.stop("SIGKILL")
      expect(yield* Effect.flip(ping(connection))).toMatchObject({ reason: "Connection" })
      yield* server.start
      expect(yield* Effect.retry(ping(connection), { times: 100 })).toBe("PONG")
    })
  )

  it.scopedLive(
    "answers within two seconds after a network that swallowed requests, replies or both does so no longer",
    () =>
      Effect.forEach(
        ["requests", "replies", "all"] as const,
        Effect.fnUntraced(function* (swallowed) {
          const server = yield* RedisServer.make()
          const proxy = yield* SwallowingProxy.make(server.port)
          const connection = yield* Connection.connect(address(proxy.port), "worker")
          yield* ping(connection)
          proxy.swallow(swallowed)
          yield* Effect.flip(ping(connection, 100))
          // So many tries that the first of them has lost its patience.
          const tries = Effect.sync(proxy.accepted)
          yield* Effect.repeat(Effect.delay(tries, "20 millis"), { until: (count) => count >= 8 })
          proxy.swallow("nothing")
          expect(yield* Effect.timeout(ping(connection), "2 seconds")).toBe("PONG")
        }),
        { concurrency: "unbounded" }
      ),
    20_000
  )

  it.scopedLive("reaches a Redis that takes longer than a second to answer", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const busy = `local start = redis.call('TIME')[1]
        repeat local now = redis.call('TIME')[1] until now - start >= 3
        return 'slept'`
      const probe = yield* Connection.connect(address(server.port), "worker")
      // One that is opened while the script runs would not see it, and never fail.
      expect(yield* ping(probe)).toBe("PONG")
      const sleep = yield* Effect.fork(server.connection.use((client) => client.eval(busy, 0)))
      // Redis reads no more while it runs a script.
      yield* Effect.repeat(Effect.exit(ping(probe, 50)), { until: (exit) => exit._tag === "Failure" })
      const connection = yield* Connection.connect(address(server.port), "worker")
      expect(yield* ping(connection)).toBe("PONG")
      expect(yield* sleep).toBe("slept")
    })
  )

  it.scopedLive("is replaced when told so: what is in hand fails, and the next command goes over another link", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(server.port), "blocking")
      const id = connection.use((client) => client.client("ID"))
      const before = yield* id
      const blocked = yield* Effect.fork(
        Effect.flip(connection.use((client) => client.blmove("a", "b", "RIGHT", "LEFT", 60), 65_000))
      )
      const clients = server.connection.use((client) => client.client("LIST"))
      yield* Effect.repeat(clients, { until: (list) => /cmd=blmove/.test(String(list)) })
      yield* connection.replace
      expect(yield* blocked).toMatchObject({ reason: "Connection", message: "the connection to Redis was replaced" })
      expect(yield* id).not.toBe(before)
      // The old one is gone on the server, too: it takes nothing that arrives.
      yield* Effect.repeat(clients, { until: (list) => !/cmd=blmove/.test(String(list)) })
    })
  )

  it.scopedLive("goes on after each connection is killed, again and again", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make()
      const connection = yield* Connection.connect(address(server.port), "worker")
      for (let time = 0; time < 5; time++) {
        yield* Effect.retry(ping(connection), { times: 3 })
        yield* server.connection.use((client) => client.client("KILL", "TYPE", "normal", "SKIPME", "yes"))
      }
      expect(yield* Effect.retry(ping(connection), { times: 3 })).toBe("PONG")
    })
  )

  it.scopedLive("fails what is asked of it after its scope has closed", () =>
    Effect.gen(function* () {
      const { port } = yield* RedisServer.make()
      const connection = yield* Effect.scoped(
        Effect.tap(Connection.connect(address(port), "worker"), (open) => ping(open))
      )
      expect(yield* Effect.flip(ping(connection))).toMatchObject({ reason: "Connection" })
    })
  )

  it.scopedLive("does not believe a server that answers its handshake with something else", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make(() => "+OK\r\n")
      const connection = yield* Connection.connect(address(server.port), "worker")
      expect(yield* Effect.flip(ping(connection))).toMatchObject({
        reason: "Connection",
        message: "what answers there does not speak Redis' protocol"
      })
    })
  )

  it.scopedLive("says why a server lets nobody in", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.make(["--maxclients", "1"])
      yield* ping(server.connection)
      const connection = yield* Connection.connect(address(server.port), "worker")
      expect(yield* Effect.flip(ping(connection))).toMatchObject({
        reason: "Loading",
        message: "Redis answers ERR max number of clients reached"
      })
    })
  )

  it.scopedLive.each([
    ["LOADING Redis is loading the dataset in memory", "Loading"],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "Loading"],
    ["NOAUTH Authentication required.", "Auth"]
  ])("says %j, tries again by itself, and goes on when that is over", ([answer, reason]) =>
    Effect.gen(function* () {
      const polite = ScriptedServer.polite("+PONG\r\n")
      const server = yield* ScriptedServer.make((request, link) => (link <= 3 ? `-${answer}\r\n` : polite(request)))
      const connection = yield* Connection.connect(address(server.port), "worker")
      expect(yield* Effect.flip(ping(connection))).toMatchObject({
        reason,
        message: `Redis answers ${answer?.replace(/\.$/, "")}`
      })
      expect(yield* Effect.retry(ping(connection), { times: 3 })).toBe("PONG")
    })
  )
})

describe("Redis.Connection and nonsense", () => {
  const nonsense: ReadonlyArray<readonly [name: string, bytes: string]> = [
    ["a list of four billion", "*4294967296\r\n"],
    ["a list of more than can be counted", `*${"9".repeat(400)}\r\n`],
    ["twenty thousand lists in each other", "*1\r\n".repeat(20_000)],
    ["nothing, unasked", "$-1\r\n$-1\r\n"],
    ["no list, unasked", "*-1\r\n*-1\r\n"],
    ["a number, unasked", ":1\r\n:1\r\n"],
    ["an error, unasked", "-ERR a\r\n-ERR b\r\n"],
    ["a push of RESP3", ">3\r\n+message\r\n+a\r\n:1\r\n"],
    ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["a string without an end", "$9000000000000000\r\nabc"]
  ]

  it.scopedLive.each(nonsense)("survives %s, and uses the next link", ([, bytes]) =>
    Effect.gen(function* () {
      const polite = ScriptedServer.polite("+PONG\r\n")
      const server = yield* ScriptedServer.make((request, link) =>
        link === 1 && !/\d{3}\r\n$/.test(request) ? bytes : polite(request)
      )
      const connection = yield* Connection.connect(address(server.port), "worker")
      // The first command after the handshake gets the nonsense; it may pass for its reply.
      yield* Effect.exit(ping(connection, 300))
      expect(yield* Effect.retry(ping(connection, 300), { times: 3 })).toBe("PONG")
      // And unasked, on a link that is idle.
      server.write(bytes)
      expect(yield* Effect.retry(ping(connection, 300), { times: 3 })).toBe("PONG")
    })
  )

  it.scopedLive("keeps nothing of a string without an end that nobody asked for", () =>
    Effect.gen(function* () {
      const server = yield* ScriptedServer.make(ScriptedServer.polite("+PONG\r\n"))
      const connection = yield* Connection.connect(address(server.port), "worker")
      yield* ping(connection)
      expect(server.open()).toBe(1)
      server.write("$9000000000000000\r\n")
      const handshakes = Effect.sync(() => server.received().match(/PING\r\n\$/g)?.length)
      yield* Effect.repeat(Effect.delay(handshakes, "10 millis"), { until: (count) => count === 2 })
      expect(yield* ping(connection)).toBe("PONG")
      expect(server.open()).toBe(1)
    })
  )

  it.scopedLive("leaves a link whose replies do not fit the scripts", () =>
    Effect.gen(function* () {
      const polite = ScriptedServer.polite("*1\r\n+right\r\n")
      const server = yield* ScriptedServer.make((request, link) =>
        link === 1 && request.includes("EVALSHA") ? "+another\r\n" : polite(request)
      )
      const connection = yield* Connection.connect(address(server.port), "worker")
      const run = connection.run(echo, { first: "a", second: "b" }, { word: "w", bytes: "b" })
      expect(yield* Effect.flip(run)).toMatchObject({ reason: "Reply", detail: "unexpected reply of echo: not a list" })
      expect(yield* run).toEqual(["right"])
    })
  )
})

describe("a process that used connections", () => {
  /** Runs a program against the ports and answers with all that it printed; it must end by itself. */
  const output = (program: string, ports: ReadonlyArray<number>) =>
    Effect.promise(async () => {
      const bundle = await build({
        stdin: { contents: program, resolveDir: import.meta.dirname, loader: "ts" },
        bundle: true,
        platform: "node",
        format: "esm",
        packages: "external",
        write: false
      })
      const code = bundle.outputFiles[0]?.text ?? ""
      return new Promise<string>((resolve, reject) => {
        const options = { cwd: import.meta.dirname, timeout: 15_000 }
        const args = ["--input-type=module", "--eval", code, ...ports.map(String)]
        execFile(process.execPath, args, options, (error, stdout, stderr) =>
          error === null ? resolve(stdout + stderr) : reject(new Error(`${error.message}\n${stdout}${stderr}`))
        )
      })
    })

  it.scopedLive(
    "ends when their scope has closed, and has printed nothing",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.make()
        yield* server.connection.use((client) =>
          client.call("ACL", "SETUSER", "few", "on", ">pw", "resetkeys", "-@all", "+get", "~*")
        )
        const silent = yield* ScriptedServer.make(() => undefined)
        const program = `
          import * as Effect from "effect/Effect"
          import * as Redacted from "effect/Redacted"
          import * as Connection from "../../src/Redis/Connection.ts"
          const [real, nobody, silent] = process.argv.slice(1).map(Number)
          const address = (port, more = {}) => ({ host: "127.0.0.1", port, db: 0, clientName: "name", ...more })
          const password = Redacted.make("pw")
          const used = (address, f) => Effect.flatMap(Connection.connect(address, "worker"), (connection) =>
            Effect.exit(connection.use(f, 60_000)).pipe(Effect.timeoutOption(1_200)))
          const all = Effect.all([
            used(address(real), (client) => client.ping()),
            used(address(real), (client) => client.brpop("nothing", 60)),
            used(address(real, { username: "few", password }), (client) => client.get("key")),
            used(address(real, { username: "few", password: Redacted.make("no") }), (client) => client.get("key")),
            used(address(real, { password }), (client) => client.get("key")),
            used(address(real, { db: 99 }), (client) => client.get("key")),
            used(address(nobody), (client) => client.get("key")),
            used(address(silent), (client) => client.get("key"))
          ], { concurrency: "unbounded" })
          Effect.runPromise(Effect.scoped(all)).then((exits) => {
            const told = exits.map((exit) => exit._tag === "None" ? "waits" : exit.value._tag === "Success" ? "answered" : exit.value.cause.error.reason)
            process.stdout.write(told.join(" "))
          })`
        const printed = yield* output(program, [server.port, yield* RedisServer.freePort, silent.port])
        expect(printed).toBe("answered waits answered Auth Auth Reply Connection waits")
      }),
    30_000
  )
})
