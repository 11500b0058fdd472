import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { EdumfaConfig, type EdumfaConfigError, layer, layerValues } from "../src/EdumfaConfig.ts"
import * as Files from "./services/Files.ts"

type Variables = Readonly<Record<string, string>>

const environment = (variables: Variables) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const described = (error: EdumfaConfigError) => `${error.reason}: ${error.message}`

/** What a config gives with eduMFA's file and these variables, or the error. */
const ask = <A>(config: Config.Config<A>, source: string, variables: Variables = {}) =>
  Effect.flatMap(EdumfaConfig, ({ get }) => get(config)).pipe(
    Effect.provide(layer({ file: Option.none() })),
    Effect.provide(Files.layer({ "/etc/edumfa/edumfa.cfg": source, "/run/secret": "from a file\n" })),
    Effect.provide(environment(variables)),
    Effect.match({ onFailure: described, onSuccess: (value) => value })
  )

/** The same with a fixture. */
const askFixture = <A>(config: Config.Config<A>, name: string) =>
  Effect.flatMap(EdumfaConfig, ({ get }) => get(config)).pipe(
    Effect.provide(layer({ file: Option.some(`test/fixtures/edumfa-cfg/${name}`) })),
    Effect.provide(NodeFileSystem.layer),
    Effect.provide(environment({})),
    Effect.match({ onFailure: described, onSuccess: (value) => value })
  )

const connection = Config.all({
  url: Config.option(Config.redacted("EDUMFA_JOB_QUEUE_URL")),
  host: Config.option(Config.string("EDUMFA_JOB_QUEUE_HOST")),
  port: Config.option(Config.port("EDUMFA_JOB_QUEUE_PORT")),
  db: Config.option(Config.integer("EDUMFA_JOB_QUEUE_DB")),
  username: Config.option(Config.string("EDUMFA_JOB_QUEUE_USERNAME")),
  password: Config.option(Config.redacted("EDUMFA_JOB_QUEUE_PASSWORD"))
}).pipe(
  Config.map(({ url, password, ...rest }) => {
    const all: Readonly<Record<string, Option.Option<string | number>>> = {
      ...rest,
      url: Option.map(url, Redacted.value),
      password: Option.map(password, Redacted.value)
    }
    return Object.fromEntries(
      Object.entries(all).flatMap(([key, value]) => (Option.isSome(value) ? [[key, value.value] as const] : []))
    )
  })
)

const text = (key: string) => Config.string(`EDUMFA_JOB_QUEUE_${key}`)

describe("fixtures", () => {
  it.effect("site.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(connection, "site.cfg")).toStrictEqual({
        url: "redis://:p%40ss@redis.example.org:6380/2"
      })
      expect(yield* askFixture(text("CLASS"), "site.cfg")).toBe("edumfa.lib.queues.huey_queue.HueyQueue")
      expect(yield* askFixture(text("NAME"), "site.cfg")).toBe("campus mfa!")
      expect(yield* askFixture(Config.integer("EDUMFA_LOGLEVEL"), "site.cfg")).toBe(20)
      expect(yield* askFixture(Config.string("EDUMFA_PEPPER"), "site.cfg")).toBe("Never know... it's # not a comment")
      expect(yield* askFixture(Config.array(Config.string(), "SUPERUSER_REALM"), "site.cfg")).toStrictEqual([
        "super",
        "administrators"
      ])
      expect(
        yield* askFixture(Config.nested(Config.integer("pool_size"), "SQLALCHEMY_ENGINE_OPTIONS"), "site.cfg")
      ).toBe(20)
      expect(
        yield* askFixture(Config.array(Config.string("public_key"), "EDUMFA_TRUSTED_JWT"), "site.cfg")
      ).toStrictEqual(["-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEF\n-----END PUBLIC KEY-----"])
    })
  )

  it.effect("literals.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(connection, "literals.cfg")).toStrictEqual({ host: "127.0.0.1", port: 6379, db: 1 })
      expect(yield* askFixture(text("CLASS"), "literals.cfg")).toBe("edumfa.lib.queues.huey_queue.HueyQueue")
      expect(yield* askFixture(Config.boolean("EDUMFA_JOB_QUEUE_COMPRESSION"), "literals.cfg")).toBe(true)
      expect(yield* askFixture(Config.boolean("EDUMFA_JOB_QUEUE_USE_ZLIB"), "literals.cfg")).toBe(false)
      expect(yield* askFixture(Config.number("EDUMFA_JOB_QUEUE_READ_TIMEOUT"), "literals.cfg")).toBe(1.5)
      expect(yield* askFixture(text("NAME"), "literals.cfg")).toBe("the_last_one_wins")
      expect(yield* askFixture(Config.integer("EDUMFA_LOGLEVEL"), "literals.cfg")).toBe(20)
    })
  )

  it.effect("computed.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(text("CLASS"), "computed.cfg")).toBe("edumfa.lib.queues.huey_queue.HueyQueue")
      expect(yield* askFixture(Config.string("BASE"), "computed.cfg")).toBe("/srv/edumfa")
      expect(yield* askFixture(connection, "computed.cfg")).toBe(
        "Computed: test/fixtures/edumfa-cfg/computed.cfg, line 8: EDUMFA_JOB_QUEUE_URL is computed (os.environ['REDIS_URL']); write the value itself, for example EDUMFA_JOB_QUEUE_URL = 'redis://localhost:6379/0', or set EDUMFA_JOB_QUEUE_URL in the environment"
      )
      expect(yield* askFixture(Config.string("EDUMFA_ENCFILE"), "computed.cfg")).toBe(
        "Computed: test/fixtures/edumfa-cfg/computed.cfg, line 4: EDUMFA_ENCFILE is computed (os.path.join(BASE, …)); write the value itself, for example EDUMFA_ENCFILE = '/etc/edumfa/enckey', or set EDUMFA_ENCFILE in the environment"
      )
      expect(yield* askFixture(Config.string("EDUMFA_LOGLEVEL"), "computed.cfg")).toBe(
        "Computed: test/fixtures/edumfa-cfg/computed.cfg, line 6: EDUMFA_LOGLEVEL is computed (assigned inside an if statement); write the value itself, for example EDUMFA_LOGLEVEL = 20, or set EDUMFA_LOGLEVEL in the environment"
      )
    })
  )

  it.effect("disabled.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(Config.option(text("CLASS")), "disabled.cfg")).toStrictEqual(Option.none())
      expect(yield* askFixture(Config.string("EDUMFA_ENCFILE"), "disabled.cfg")).toBe("/etc/edumfa/enckey")
    })
  )

  it.effect("unknown-class.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(text("CLASS"), "unknown-class.cfg")).toBe("obviously.invalid")
      expect(yield* askFixture(Config.literal("a", "b")("EDUMFA_JOB_QUEUE_CLASS"), "unknown-class.cfg")).toBe(
        'Invalid: test/fixtures/edumfa-cfg/unknown-class.cfg, line 1: EDUMFA_JOB_QUEUE_CLASS: Expected one of (a, b) but received "obviously.invalid"'
      )
    })
  )

  it.effect("over-determined.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(text("CLASS"), "over-determined.cfg")).toBe("edumfa.lib.queues.huey_queue.HueyQueue")
      expect(yield* askFixture(connection, "over-determined.cfg")).toBe(
        "OverDetermined: test/fixtures/edumfa-cfg/over-determined.cfg, line 3: EDUMFA_JOB_QUEUE_URL and EDUMFA_JOB_QUEUE_HOST both name the connection; keep the URL or the single keys"
      )
    })
  )

  it.effect("broken.cfg", () =>
    Effect.gen(function* () {
      expect(yield* askFixture(text("CLASS"), "broken.cfg")).toBe(
        "Syntax: test/fixtures/edumfa-cfg/broken.cfg, line 1: a string is not closed"
      )
    })
  )
})

describe("types", () => {
  const key = "EDUMFA_X"
  it.effect.each<{ source: string; config: Config.Config<unknown>; value: unknown }>([
    { source: "True", config: Config.boolean(key), value: true },
    { source: "1", config: Config.boolean(key), value: true },
    { source: "'True'", config: Config.boolean(key), value: true },
    { source: "True", config: Config.string(key), value: "true" },
    { source: "6_379", config: Config.integer(key), value: 6379 },
    { source: "'6_379'", config: Config.integer(key), value: 6379 },
    { source: "9007199254740993", config: Config.string(key), value: "9007199254740993" },
    { source: "-1.5", config: Config.number(key), value: -1.5 },
    { source: "'WARNING'", config: Config.logLevel(key), value: "Invalid" },
    { source: "'warn'", config: Config.logLevel(key), value: LogLevel.Warning },
    { source: "''", config: Config.string(key), value: "" },
    { source: "''", config: Config.withDefault(Config.nonEmptyString(key), "d"), value: "d" },
    { source: "None", config: Config.withDefault(Config.string(key), "d"), value: "d" },
    { source: "b'caf\\xc3\\xa9'", config: Config.string(key), value: "café" },
    { source: "'a,b'", config: Config.string(key), value: "a,b" },
    { source: "'a,b'", config: Config.array(Config.string(), key), value: ["a,b"] },
    { source: "(1, 2)", config: Config.array(Config.integer(), key), value: [1, 2] },
    { source: "[]", config: Config.withDefault(Config.array(Config.integer(), key), [7]), value: [7] },
    { source: "{'a': [1, 2]}", config: Config.nested(Config.array(Config.integer(), "a"), key), value: [1, 2] },
    { source: "{'a': None}", config: Config.nested(Config.withDefault(Config.string("a"), "d"), key), value: "d" },
    {
      source: "{'constructor': 1}",
      config: Config.nested(Config.option(Config.string("toString")), key),
      value: Option.none()
    }
  ])("$source", ({ source, config, value }) =>
    Effect.gen(function* () {
      const result = yield* ask(config, `EDUMFA_X = ${source}\n`)
      if (value === "Invalid") expect(result).toContain("Invalid: ")
      else expect(result).toStrictEqual(value)
    })
  )

  it.effect("a dict keeps dots and colons in its keys", () =>
    Effect.gen(function* () {
      const ages = Config.hashMap(Config.integer(), key)
      const result = yield* ask(ages, "EDUMFA_X = {'smtp.example.org:587': 60, 'b': 2}\n")
      expect(result).toStrictEqual(HashMap.make(["smtp.example.org:587", 60], ["b", 2]))
      expect(yield* ask(ages, "")).toStrictEqual(HashMap.empty())
      expect(yield* ask(ages, "", { EDUMFA_X: "{'a.b': 1}" })).toStrictEqual(HashMap.make(["a.b", 1]))
      expect(yield* ask(ages, "EDUMFA_X = {'a': 'x'}\n")).toBe(
        `Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X['a']: Expected an integer value but received "x"`
      )
      expect(yield* ask(ages, "EDUMFA_X = f()\n")).toBe(
        "Computed: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X is computed (f()); write the value itself, or set EDUMFA_X in the environment"
      )
    })
  )

  it.effect.each<{ source: string; config: Config.Config<unknown>; message: string }>([
    { source: "", config: Config.string(key), message: "Missing: /etc/edumfa/edumfa.cfg: EDUMFA_X is not set" },
    {
      source: "EDUMFA_X = None",
      config: Config.redacted(key),
      message: "Missing: /etc/edumfa/edumfa.cfg: EDUMFA_X is not set"
    },
    {
      source: "\nEDUMFA_X = 'hunter2'",
      config: Config.integer(key),
      message: 'Invalid: /etc/edumfa/edumfa.cfg, line 2: EDUMFA_X: Expected an integer value but received "hunter2"'
    },
    {
      source: "EDUMFA_X = 'hunter2'",
      config: Config.redacted(Config.integer(key)),
      message: "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X: the value cannot be used"
    },
    {
      source: "EDUMFA_JOB_QUEUE_PASSWORD = 'hunter2'",
      config: Config.integer("EDUMFA_JOB_QUEUE_PASSWORD"),
      message:
        "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_JOB_QUEUE_PASSWORD: Expected an integer value but received …"
    },
    // Neither shown nor taken out of the words of the message, which would show it too.
    {
      source: "EDUMFA_JOB_QUEUE_PASSWORD = 'e'",
      config: Config.integer("EDUMFA_JOB_QUEUE_PASSWORD"),
      message:
        "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_JOB_QUEUE_PASSWORD: Expected an integer value but received …"
    },
    {
      source: "EDUMFA_JOB_QUEUE_URL = 'e'",
      config: Config.mapOrFail(Config.string("EDUMFA_JOB_QUEUE_URL"), () =>
        Either.left(ConfigError.InvalidData([], "the URL must begin with redis://"))
      ),
      message: "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_JOB_QUEUE_URL: the URL must begin with redis://"
    },
    {
      source: "EDUMFA_X = [1]",
      config: Config.string(key),
      message: "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X: Expected a single value"
    },
    {
      source: "EDUMFA_X = 1",
      config: Config.nested(Config.string("a"), key),
      message: "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X: Expected a list or dict in Python's syntax"
    },
    {
      source: "EDUMFA_X = 'a\\x1b\\nb'",
      config: Config.mapOrFail(Config.withDefault(Config.string(key), "d"), (value) =>
        Either.left(ConfigError.InvalidData([], `is wrong: ${value}`))
      ),
      message: "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X is wrong: a\\u{1b}\\u{a}b"
    },
    {
      source: "EDUMFA_X = 'a'",
      config: Config.mapOrFail(Config.string(key), () => Either.left(ConfigError.InvalidData([key], "is wrong"))),
      message: "Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X is wrong"
    },
    {
      source: "EDUMFA_X = 'a'",
      config: Config.all({ y: Config.string("EDUMFA_Y"), x: Config.integer(key) }),
      message: 'Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X: Expected an integer value but received "a"'
    },
    {
      source: "EDUMFA_X = 'a'",
      config: Config.orElse(Config.string("EDUMFA_Y"), () => Config.integer(key)),
      message: 'Invalid: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_X: Expected an integer value but received "a"'
    }
  ])("$message", ({ source, config, message }) =>
    Effect.gen(function* () {
      expect(yield* ask(config, source)).toBe(message)
    })
  )

  it.effect("an error about a secret does not carry it in its cause", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flatMap(EdumfaConfig, ({ get }) =>
        get(Config.integer("EDUMFA_QUEUE_WORKER_SIGNING_SECRET"))
      ).pipe(Effect.provide(layerValues({ EDUMFA_QUEUE_WORKER_SIGNING_SECRET: "hunter2" })), Effect.flip)
      expect(error.message).toBe(
        "given values: EDUMFA_QUEUE_WORKER_SIGNING_SECRET: Expected an integer value but received …"
      )
      expect(JSON.stringify(error)).not.toContain("hunter2")
    })
  )
})

describe("environment", () => {
  it.effect("goes before the file, computed or not", () =>
    Effect.gen(function* () {
      const variables = { EDUMFA_JOB_QUEUE_NAME: "theirs" }
      expect(yield* ask(text("NAME"), "EDUMFA_JOB_QUEUE_NAME = 'ours'\n", variables)).toBe("theirs")
      expect(yield* ask(text("NAME"), "EDUMFA_JOB_QUEUE_NAME = f()\n", variables)).toBe("theirs")
      expect(yield* ask(text("NAME"), "EDUMFA_JOB_QUEUE_NAME = 'ours'\n", { EDUMFA_JOB_QUEUE_NAME: "" })).toBe("")
      expect(yield* ask(text("NAME"), "EDUMFA_JOB_QUEUE_NAME = 'ours'\n")).toBe("ours")
    })
  )

  it.effect("is typed like the key", () =>
    Effect.gen(function* () {
      const variables = { A: "True", B: "6_379", C: "a, b", D: "['a', 'b,c']", E: "{'k': 1}", F: "True" }
      expect(yield* ask(Config.boolean("A"), "", variables)).toBe(true)
      expect(yield* ask(Config.integer("B"), "", variables)).toBe(6379)
      expect(yield* ask(Config.array(Config.string(), "C"), "", variables)).toStrictEqual(["a", "b"])
      expect(yield* ask(Config.array(Config.string(), "D"), "", variables)).toStrictEqual(["a", "b,c"])
      expect(yield* ask(Config.nested(Config.integer("k"), "E"), "", variables)).toBe(1)
      expect(yield* ask(Config.string("E"), "", variables)).toBe("{'k': 1}")
      expect(yield* ask(Config.string("F"), "", variables)).toBe("True")
      expect(yield* ask(Config.integer("C"), "", variables)).toBe(
        'Invalid: environment: C: Expected an integer value but received "a, b"'
      )
    })
  )

  it.effect("names a file that holds the value", () =>
    Effect.gen(function* () {
      const password = Config.map(Config.redacted("EDUMFA_JOB_QUEUE_PASSWORD"), Redacted.value)
      const file = (path: string) => ({ EDUMFA_JOB_QUEUE_PASSWORD_FILE: path })
      expect(yield* ask(password, "EDUMFA_JOB_QUEUE_PASSWORD = 'x'\n", file("/run/secret"))).toBe("from a file")
      expect(yield* ask(password, "EDUMFA_JOB_QUEUE_PASSWORD = 'x'\n", file(""))).toBe("x")
      expect(yield* ask(password, "", file("/run/none"))).toBe(
        "NotFound: environment: EDUMFA_JOB_QUEUE_PASSWORD_FILE: /run/none does not exist"
      )
      expect(yield* ask(password, "", { ...file("/run/secret"), EDUMFA_JOB_QUEUE_PASSWORD: "hunter2" })).toBe(
        "OverDetermined: environment: EDUMFA_JOB_QUEUE_PASSWORD and EDUMFA_JOB_QUEUE_PASSWORD_FILE are both set; keep one of them"
      )
      expect(yield* ask(Config.integer("EDUMFA_X"), "", { EDUMFA_X_FILE: "/run/secret" })).toBe(
        'Invalid: environment: EDUMFA_X_FILE: Expected an integer value but received "from a file"'
      )
    })
  )

  it.effect("replaces the whole connection of the file by one key of it", () =>
    Effect.gen(function* () {
      const file = "EDUMFA_JOB_QUEUE_HOST = 'h'\nEDUMFA_JOB_QUEUE_PASSWORD = f()\nEDUMFA_JOB_QUEUE_DB = 3\n"
      expect(yield* ask(connection, file, { EDUMFA_JOB_QUEUE_URL: "redis://e" })).toStrictEqual({ url: "redis://e" })
      expect(yield* ask(connection, file, { EDUMFA_JOB_QUEUE_PORT: "1" })).toStrictEqual({ port: 1 })
      const secret = { EDUMFA_JOB_QUEUE_DB: "1", EDUMFA_JOB_QUEUE_PASSWORD_FILE: "/run/secret" }
      expect(yield* ask(connection, file, secret)).toStrictEqual({ db: 1, password: "from a file" })
      expect(yield* ask(connection, "EDUMFA_JOB_QUEUE_DB = 3\n", { EDUMFA_JOB_QUEUE_URL: "" })).toStrictEqual({ db: 3 })
      expect(
        yield* ask(connection, "EDUMFA_JOB_QUEUE_URL = 'redis://f'\nEDUMFA_JOB_QUEUE_HOST = 'h'", {
          EDUMFA_JOB_QUEUE_HOST: "e"
        })
      ).toStrictEqual({ host: "e" })
    })
  )

  it.effect("names the connection in one way", () =>
    Effect.gen(function* () {
      const url = { EDUMFA_JOB_QUEUE_URL: "redis://e" }
      expect(yield* ask(connection, "", { ...url, EDUMFA_JOB_QUEUE_PASSWORD_FILE: "/run/secret" })).toBe(
        "OverDetermined: environment: EDUMFA_JOB_QUEUE_URL and EDUMFA_JOB_QUEUE_PASSWORD_FILE both name the connection; keep the URL or the single keys"
      )
    })
  )
})

describe("keys of the queue", () => {
  const workerUrl = Config.option(Config.string("EDUMFA_QUEUE_WORKER_REDIS_URL"))

  it.effect.each<{ source: string; message: string }>([
    {
      source: "EDUMFA_JOB_QUEUE_RESULTS = False",
      message: "EDUMFA_JOB_QUEUE_RESULTS is not supported: jobs have no results; remove it"
    },
    {
      source: "EDUMFA_JOB_QUEUE_STORE_NONE = False",
      message: "EDUMFA_JOB_QUEUE_STORE_NONE is not supported: jobs have no results; remove it"
    },
    {
      source: "EDUMFA_JOB_QUEUE_CONNECTION_POOL = pool()",
      message: "EDUMFA_JOB_QUEUE_CONNECTION_POOL is not supported: set EDUMFA_JOB_QUEUE_URL instead"
    },
    {
      source: "EDUMFA_JOB_QUEUE_CONNECTION_CLASS = ssl()",
      message:
        "EDUMFA_JOB_QUEUE_CONNECTION_CLASS is not supported: the scheme of EDUMFA_JOB_QUEUE_URL chooses the kind of connection; set that instead"
    },
    {
      source: "EDUMFA_JOB_QUEUE_SERIALIZER = s",
      message:
        "EDUMFA_JOB_QUEUE_SERIALIZER is not supported: messages are pickled as huey does by default; for signed ones set EDUMFA_QUEUE_WORKER_SIGNING_SECRET instead"
    },
    {
      source: "EDUMFA_JOB_QUEUE_URI = 'redis://h'",
      message:
        "EDUMFA_JOB_QUEUE_URI is unknown; remove it or write one of EDUMFA_JOB_QUEUE_CLASS, EDUMFA_JOB_QUEUE_URL, EDUMFA_JOB_QUEUE_HOST, EDUMFA_JOB_QUEUE_PORT, EDUMFA_JOB_QUEUE_DB, EDUMFA_JOB_QUEUE_USERNAME, EDUMFA_JOB_QUEUE_PASSWORD, EDUMFA_JOB_QUEUE_NAME, EDUMFA_JOB_QUEUE_COMPRESSION, EDUMFA_JOB_QUEUE_USE_ZLIB, EDUMFA_JOB_QUEUE_UTC, EDUMFA_JOB_QUEUE_READ_TIMEOUT, EDUMFA_JOB_QUEUE_BLOCKING, EDUMFA_JOB_QUEUE_CLIENT_NAME, EDUMFA_JOB_QUEUE_IMMEDIATE"
    },
    {
      source: "EDUMFA_QUEUE_WORKER_SIGNING_SECRT = 'hunter2'",
      message:
        "EDUMFA_QUEUE_WORKER_SIGNING_SECRT is unknown; remove it or write one of EDUMFA_QUEUE_WORKER_REDIS_URL, EDUMFA_QUEUE_WORKER_SIGNING_SECRET, EDUMFA_QUEUE_WORKER_SIGNING_SALT, EDUMFA_QUEUE_WORKER_SMTP, EDUMFA_QUEUE_WORKER_EHLO, EDUMFA_QUEUE_WORKER_LEASE, EDUMFA_QUEUE_WORKER_GRACE, EDUMFA_QUEUE_WORKER_HEARTBEAT, EDUMFA_QUEUE_WORKER_FIRST_BACKLOG, EDUMFA_QUEUE_WORKER_MAX_AGES, EDUMFA_QUEUE_WORKER_TIMEOUT, EDUMFA_QUEUE_WORKER_TIME_ZONE"
    }
  ])("$source", ({ source, message }) =>
    Effect.gen(function* () {
      const file = `EDUMFA_JOB_QUEUE_CLASS = 'c'\n${source}\n`
      const refusal = `Refused: /etc/edumfa/edumfa.cfg, line 2: ${message}`
      expect(yield* ask(connection, file)).toBe(refusal)
      expect(yield* ask(workerUrl, file)).toBe(refusal)
      expect(yield* ask(text("CLASS"), file)).toBe("c")
    })
  )

  it.effect("takes every key that is honoured", () =>
    Effect.gen(function* () {
      const names = [
        "CLASS",
        "NAME",
        "COMPRESSION",
        "USE_ZLIB",
        "UTC",
        "READ_TIMEOUT",
        "BLOCKING",
        "CLIENT_NAME",
        "IMMEDIATE"
      ]
      const single = ["HOST", "PORT", "DB", "USERNAME", "PASSWORD"]
      const file = [...names, ...single].map((name) => `EDUMFA_JOB_QUEUE_${name} = '1'\n`).join("")
      expect(yield* ask(connection, file)).toStrictEqual({ host: "1", port: 1, db: 1, username: "1", password: "1" })
    })
  )

  it.effect.each(["HOST", "PORT", "DB", "USERNAME", "PASSWORD"])("refuses the URL with %s", (name) =>
    Effect.gen(function* () {
      const file = `EDUMFA_JOB_QUEUE_${name} = '1'\nEDUMFA_JOB_QUEUE_URL = f()\n`
      expect(yield* ask(connection, file)).toBe(
        `OverDetermined: /etc/edumfa/edumfa.cfg, line 1: EDUMFA_JOB_QUEUE_URL and EDUMFA_JOB_QUEUE_${name} both name the connection; keep the URL or the single keys`
      )
    })
  )

  it.effect("does not count what says nothing", () =>
    Effect.gen(function* () {
      const url = "EDUMFA_JOB_QUEUE_URL = 'redis://h'\nEDUMFA_JOB_QUEUE_PASSWORD = None\n"
      expect(yield* ask(connection, url)).toStrictEqual({ url: "redis://h" })
      expect(yield* ask(connection, "EDUMFA_JOB_QUEUE_URL = ''\nEDUMFA_JOB_QUEUE_HOST = 'h'\n")).toStrictEqual({
        host: "h"
      })
    })
  )

  it.effect("are not lost in an imported module", () =>
    Effect.gen(function* () {
      expect(yield* ask(Config.withDefault(text("CLASS"), ""), "X = 1\nfrom base import *\n")).toBe(
        "Computed: /etc/edumfa/edumfa.cfg, line 2: EDUMFA_JOB_QUEUE_CLASS is computed (from base import *); write the value itself, for example EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue', or set EDUMFA_JOB_QUEUE_CLASS in the environment"
      )
    })
  )
})

describe("privacyIDEA's file", () => {
  const askAs = <A>(
    config: Config.Config<A>,
    source: string,
    variables: Variables = {},
    path = "/etc/privacyidea/pi.cfg"
  ) =>
    Effect.flatMap(EdumfaConfig, ({ get }) => get(config)).pipe(
      Effect.provide(layer({ file: path === "/etc/privacyidea/pi.cfg" ? Option.none() : Option.some(path) })),
      Effect.provide(Files.layer({ [path]: source })),
      Effect.provide(environment(variables)),
      Effect.match({ onFailure: described, onSuccess: (value) => value })
    )
  const file =
    "PI_JOB_QUEUE_URL = 'redis://p'\nPI_ENCFILE = '/e'\nPI_LOGLEVEL = 10\nPI_LOGCONFIG = '/l'\nEDUMFA_QUEUE_WORKER_EHLO = 'w'\n"

  it.effect("has keys that begin with PI_, but for our own", () =>
    Effect.gen(function* () {
      expect(yield* askAs(connection, file)).toStrictEqual({ url: "redis://p" })
      expect(yield* askAs(Config.string("EDUMFA_ENCFILE"), file)).toBe("/e")
      expect(yield* askAs(Config.integer("EDUMFA_LOGLEVEL"), file)).toBe(10)
      expect(yield* askAs(Config.string("EDUMFA_LOGCONFIG"), file)).toBe("/l")
      expect(yield* askAs(Config.string("EDUMFA_QUEUE_WORKER_EHLO"), file)).toBe("w")
      expect(yield* askAs(connection, file, { EDUMFA_JOB_QUEUE_HOST: "e" })).toStrictEqual({ host: "e" })
      expect(yield* askAs(connection, file, {}, "/srv/pi.cfg")).toStrictEqual({ url: "redis://p" })
      expect(yield* askAs(connection, `${file}EDUMFA_ENCFILE = '/e'\n`, {}, "/srv/pi.cfg")).toStrictEqual({})
    })
  )

  it.effect("is named with its own keys in errors", () =>
    Effect.gen(function* () {
      expect(yield* askAs(connection, "PI_JOB_QUEUE_URL = f()\n")).toBe(
        "Computed: /etc/privacyidea/pi.cfg, line 1: PI_JOB_QUEUE_URL is computed (f()); write the value itself, for example PI_JOB_QUEUE_URL = 'redis://localhost:6379/0', or set PI_JOB_QUEUE_URL in the environment"
      )
      expect(yield* askAs(connection, "PI_JOB_QUEUE_CONNECTION_POOL = 1\n")).toBe(
        "Refused: /etc/privacyidea/pi.cfg, line 1: PI_JOB_QUEUE_CONNECTION_POOL is not supported: set PI_JOB_QUEUE_URL instead"
      )
      expect(yield* askAs(Config.integer("EDUMFA_LOGLEVEL"), "PI_LOGLEVEL = 'x'\n")).toBe(
        'Invalid: /etc/privacyidea/pi.cfg, line 1: PI_LOGLEVEL: Expected an integer value but received "x"'
      )
      expect(yield* askAs(text("CLASS"), "")).toBe("Missing: /etc/privacyidea/pi.cfg: PI_JOB_QUEUE_CLASS is not set")
    })
  )
})

describe("privacyIDEA's environment", () => {
  const url = { PRIVACYIDEA_PI_JOB_QUEUE_URL: "redis://environment" }
  const classOf = { PRIVACYIDEA_PI_JOB_QUEUE_CLASS: "privacyidea.lib.queues.huey_queue.HueyQueue" }

  /** With these files and variables. */
  const read = <A>(config: Config.Config<A>, files: Readonly<Record<string, string>>, variables: Variables) =>
    Effect.flatMap(EdumfaConfig, ({ get }) => get(config)).pipe(
      Effect.provide(layer({ file: Option.none() })),
      Effect.provide(Files.layer(files)),
      Effect.provide(environment(variables)),
      Effect.match({ onFailure: described, onSuccess: (value) => value })
    )
  const file = (source: string) => ({ "/etc/privacyidea/pi.cfg": source })

  it.effect("is read before the file: the file wins", () =>
    Effect.gen(function* () {
      expect(yield* read(connection, file("A = 1\n"), url)).toStrictEqual({ url: "redis://environment" })
      const other = "PI_JOB_QUEUE_URL = 'redis://file'\n"
      expect(yield* read(connection, file(other), url)).toStrictEqual({ url: "redis://file" })
      expect(yield* read(connection, file("PI_JOB_QUEUE_URL = None\n"), url)).toStrictEqual({})
      // Our own goes before both.
      const ours = { ...url, EDUMFA_JOB_QUEUE_URL: "redis://ours" }
      expect(yield* read(connection, file(other), ours)).toStrictEqual({ url: "redis://ours" })
    })
  )

  it.effect("overrides the file by the file's own names, as by eduMFA's", () =>
    Effect.gen(function* () {
      const other = file("PI_JOB_QUEUE_URL = 'redis://file'\nPI_JOB_QUEUE_NAME = f()\n")
      const same = { PI_JOB_QUEUE_HOST: "h", PI_JOB_QUEUE_NAME: "n" }
      expect(yield* read(connection, other, same)).toStrictEqual({ host: "h" })
      expect(yield* read(text("NAME"), other, same)).toBe("n")
      expect(yield* read(connection, other, { ...same, EDUMFA_JOB_QUEUE_URL: "redis://e" })).toBe(
        "OverDetermined: environment: EDUMFA_JOB_QUEUE_URL and PI_JOB_QUEUE_HOST both name the connection; keep the URL or the single keys"
      )
      expect(yield* read(connection, file("A = 1\n"), { PI_JOB_QUEUE_URL_FILE: "/missing" })).toBe(
        "NotFound: environment: PI_JOB_QUEUE_URL_FILE: /missing does not exist"
      )
    })
  )

  it.effect("says what is missing where a password alone takes the place of the file's connection", () =>
    Effect.gen(function* () {
      const alone = { EDUMFA_JOB_QUEUE_PASSWORD_FILE: "/secret", EDUMFA_JOB_QUEUE_USERNAME: "mfa" }
      const files = (source: string) => ({ ...file(source), "/secret": "sesame" })
      expect(yield* read(connection, files("PI_JOB_QUEUE_URL = 'redis://file'\n"), alone)).toBe(
        "Missing: environment: EDUMFA_JOB_QUEUE_USERNAME and EDUMFA_JOB_QUEUE_PASSWORD_FILE take the place of the whole connection in the file (/etc/privacyidea/pi.cfg, line 1: PI_JOB_QUEUE_URL), and the host is missing; set PI_JOB_QUEUE_URL instead, or PI_JOB_QUEUE_HOST beside it, in the environment"
      )
      const user = { PI_JOB_QUEUE_USERNAME: "u" }
      expect(yield* read(connection, files("PI_JOB_QUEUE_HOST = 'h'\n"), user)).toBe(
        "Missing: environment: PI_JOB_QUEUE_USERNAME takes the place of the whole connection in the file (/etc/privacyidea/pi.cfg, line 1: PI_JOB_QUEUE_HOST), and the host is missing; set PI_JOB_QUEUE_URL instead, or PI_JOB_QUEUE_HOST beside it, in the environment"
      )
      // Nothing of the file is lost, or the host is given too.
      expect(yield* read(connection, files("PI_JOB_QUEUE_USERNAME = 'v'\n"), user)).toStrictEqual({ username: "u" })
      expect(yield* read(connection, files("A = 1\n"), user)).toStrictEqual({ username: "u" })
      expect(
        yield* read(connection, files("PI_JOB_QUEUE_HOST = 'h'\n"), { ...user, EDUMFA_JOB_QUEUE_HOST: "e" })
      ).toStrictEqual({ host: "e", username: "u" })
    })
  )

  it.effect("is one configuration together with the file, as in Flask", () =>
    Effect.gen(function* () {
      expect(yield* read(connection, file("PI_JOB_QUEUE_HOST = 'h'\n"), url)).toBe(
        "OverDetermined: /etc/privacyidea/pi.cfg, line 1: PRIVACYIDEA_PI_JOB_QUEUE_URL and PI_JOB_QUEUE_HOST both name the connection; keep the URL or the single keys"
      )
      const port = { PRIVACYIDEA_PI_JOB_QUEUE_PORT: "6380" }
      expect(yield* read(connection, file("PI_JOB_QUEUE_HOST = 'h'\n"), port)).toStrictEqual({ host: "h", port: 6380 })
      expect(yield* read(connection, file("PI_JOB_QUEUE_URL = f()\n"), url)).toContain("PI_JOB_QUEUE_URL is computed")
    })
  )

  it.effect("holds JSON, or text", () =>
    Effect.gen(function* () {
      const name = (value: string) =>
        read(Config.withDefault(text("NAME"), "huey"), file("A = 1\n"), { PRIVACYIDEA_PI_JOB_QUEUE_NAME: value })
      expect(yield* name("mfa")).toBe("mfa")
      expect(yield* name('"mfa"')).toBe("mfa")
      expect(yield* name("null")).toBe("huey")
      expect(yield* name("7")).toBe("7")
      expect(yield* name('["mfa"]')).toBe(
        "Invalid: environment: PRIVACYIDEA_PI_JOB_QUEUE_NAME: Expected a single value"
      )
      const ages = { PRIVACYIDEA_EDUMFA_QUEUE_WORKER_MAX_AGES: '{"otp": 300}' }
      expect(
        yield* read(Config.hashMap(Config.integer(), "EDUMFA_QUEUE_WORKER_MAX_AGES"), file("A = 1\n"), ages)
      ).toStrictEqual(HashMap.make(["otp", 300]))
    })
  )

  it.effect("suffices where it chooses the queue and there is no file", () =>
    Effect.gen(function* () {
      expect(yield* read(connection, {}, { ...url, ...classOf })).toStrictEqual({ url: "redis://environment" })
      expect(yield* read(text("NAME"), {}, classOf)).toBe(
        "Missing: no configuration file: PI_JOB_QUEUE_NAME is not set"
      )
      expect(yield* read(connection, {}, url)).toStrictEqual({})
    })
  )

  it.effect("means nothing beside eduMFA's file", () =>
    Effect.gen(function* () {
      expect(yield* read(connection, { "/etc/edumfa/edumfa.cfg": "A = 1\n" }, { ...url, ...classOf })).toStrictEqual({})
    })
  )
})

describe("notes", () => {
  const edumfa = "/etc/edumfa/edumfa.cfg"
  const pi = "/etc/privacyidea/pi.cfg"
  const notes = (files: ReadonlyArray<string>, variables: Variables = {}, option?: string) =>
    Effect.map(EdumfaConfig, (config) => config.notes).pipe(
      Effect.provide(layer({ file: Option.fromNullable(option) })),
      Effect.provide(Files.layer(Object.fromEntries(files.map((path) => [path, "A = 1\n"])))),
      Effect.provide(environment(variables))
    )

  it.effect("say that privacyIDEA's file is passed by where both are there", () =>
    Effect.gen(function* () {
      const said = [`${pi} is not read, for ${edumfa} is there; --config chooses`]
      expect(yield* notes([edumfa, pi])).toStrictEqual(said)
      expect(yield* notes([edumfa, "/p.cfg"], { PRIVACYIDEA_CONFIGFILE: "/p.cfg" })).toStrictEqual([
        `/p.cfg is not read, for ${edumfa} is there; --config chooses`
      ])
      expect(yield* notes([edumfa])).toStrictEqual([])
      expect(yield* notes([pi])).toStrictEqual([])
      expect(yield* notes([edumfa, pi], { EDUMFA_CONFIGFILE: pi })).toStrictEqual([])
      expect(yield* notes([edumfa, pi, "/o.cfg"], {}, "/o.cfg")).toStrictEqual([])
    })
  )
})

describe("search", () => {
  const edumfa = "/etc/edumfa/edumfa.cfg"
  const container = "/opt/edumfa/edumfa_config.py"
  const privacyIdea = "/etc/privacyidea/pi.cfg"
  const inContainer = { __EDUMFA_RUNNING_IN_CONTAINER: "1" }
  const named = { EDUMFA_CONFIGFILE: "/a.cfg" }
  const piNamed = { PRIVACYIDEA_CONFIGFILE: "/p.cfg" }

  it.effect.each<{ option?: string; variables: Variables; files: ReadonlyArray<string>; source: string }>([
    { variables: {}, files: [], source: "no configuration file" },
    { variables: {}, files: [edumfa, container, privacyIdea], source: edumfa },
    { variables: {}, files: [container, privacyIdea], source: privacyIdea },
    { variables: {}, files: [container], source: "no configuration file" },
    { variables: inContainer, files: [edumfa, container, privacyIdea], source: edumfa },
    { variables: inContainer, files: [container, privacyIdea], source: container },
    { variables: inContainer, files: [privacyIdea], source: privacyIdea },
    { variables: { __EDUMFA_RUNNING_IN_CONTAINER: "0" }, files: [container], source: "no configuration file" },
    { variables: { ...named, ...inContainer }, files: ["/a.cfg", edumfa, container], source: "/a.cfg" },
    { variables: named, files: [edumfa], source: "NotFound: /a.cfg does not exist; EDUMFA_CONFIGFILE names it" },
    { variables: { EDUMFA_CONFIGFILE: "" }, files: [edumfa], source: edumfa },
    { option: "/o.cfg", variables: named, files: ["/o.cfg", "/a.cfg"], source: "/o.cfg" },
    {
      option: "/o.cfg",
      variables: named,
      files: ["/a.cfg"],
      source: "NotFound: /o.cfg does not exist; --config names it"
    },
    { variables: piNamed, files: ["/p.cfg", privacyIdea], source: "/p.cfg" },
    { variables: piNamed, files: ["/p.cfg", edumfa], source: edumfa },
    {
      variables: piNamed,
      files: [privacyIdea],
      source: "NotFound: /p.cfg does not exist; PRIVACYIDEA_CONFIGFILE names it"
    }
  ])("$option $variables $files: $source", ({ option, variables, files, source }) =>
    Effect.gen(function* () {
      const found = yield* Effect.map(EdumfaConfig, (config) => config.source).pipe(
        Effect.provide(layer({ file: Option.fromNullable(option) })),
        Effect.provide(Files.layer(Object.fromEntries(files.map((path) => [path, "A = 1\n"])))),
        Effect.provide(environment(variables)),
        Effect.match({ onFailure: described, onSuccess: (value) => value })
      )
      expect(found).toBe(source)
    })
  )

  it.effect("does not pass by a file that it may not read", () =>
    Effect.gen(function* () {
      const error = yield* EdumfaConfig.pipe(
        Effect.provide(layer({ file: Option.none() })),
        Effect.provide(Files.layer({ [edumfa]: null, [privacyIdea]: "" })),
        Effect.provide(environment({})),
        Effect.flip
      )
      expect(described(error)).toBe("Unreadable: /etc/edumfa/edumfa.cfg cannot be read (PermissionDenied)")
    })
  )

  it.effect("lets the environment give everything", () =>
    Effect.gen(function* () {
      const got = yield* Effect.flatMap(EdumfaConfig, ({ get }) =>
        get(Config.all([connection, Config.option(text("NAME"))]))
      ).pipe(
        Effect.provide(layer({ file: Option.none() })),
        Effect.provide(Files.layer({})),
        Effect.provide(environment({ EDUMFA_JOB_QUEUE_URL: "redis://e" }))
      )
      expect(got).toStrictEqual([{ url: "redis://e" }, Option.none()])
    })
  )
})

describe("layerValues", () => {
  it.effect("gives values, and nothing from the environment", () =>
    Effect.gen(function* () {
      const config = Config.all([connection, Config.withDefault(text("NAME"), "huey")])
      const { get, source } = yield* EdumfaConfig
      expect(source).toBe("no configuration file")
      expect(yield* get(config)).toStrictEqual([{ host: "h", port: 1 }, "huey"])
    }).pipe(
      Effect.provide(layerValues({ EDUMFA_JOB_QUEUE_HOST: "h", EDUMFA_JOB_QUEUE_PORT: 1 })),
      Effect.provide(environment({ EDUMFA_JOB_QUEUE_NAME: "e", EDUMFA_JOB_QUEUE_HOST: "e" }))
    )
  )
})
