/**
 * Configurations as sites have them: what a worker needs is read, or refused with what to write instead.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as EncKey from "../../src/EdumfaConfig/EncKey.ts"
import * as QueueClass from "../../src/EdumfaConfig/QueueClass.ts"
import * as EdumfaConfig from "../../src/EdumfaConfig.ts"
import * as QueueLogger from "../../src/QueueLogger.ts"
import * as Keys from "../../src/Redis/keys.ts"
import * as Redis from "../../src/Redis.ts"
import * as Files from "../services/Files.ts"

const fixture = (path: string) => readFileSync(new URL(`../fixtures/sites/${path}`, import.meta.url), "utf8")

const container = "/opt/edumfa/edumfa_config.py"
const edumfa = "/etc/edumfa/edumfa.cfg"
const pi = "/etc/privacyidea/pi.cfg"

/** What a worker of a machine with these files and variables would use. */
const site = (files: Readonly<Record<string, string>>, variables: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const { get, notes, product, source } = yield* EdumfaConfig.EdumfaConfig
    const said = <A>(config: Config.Config<A>) =>
      Effect.map(Effect.either(get(config)), Either.match({ onLeft: String, onRight: (value) => value }))
    const redis = yield* Effect.either(get(Redis.workerConfig))
    return {
      source,
      product,
      notes,
      queue: yield* said(QueueClass.config),
      redis: Either.match(redis, { onLeft: ({ message }) => message, onRight: ({ name }) => name }),
      name: yield* said(Keys.nameConfig),
      level: yield* said(QueueLogger.config),
      keyFile: yield* said(Config.map(EncKey.config, ({ file }) => Option.getOrElse(file, () => "none"))),
      logConfig: yield* said(
        Config.map(
          QueueLogger.pythonConfig,
          Option.getOrElse(() => "none")
        )
      )
    }
  }).pipe(
    Effect.provide(EdumfaConfig.layer({ file: Option.none() })),
    Effect.provide(Files.layer(files)),
    Effect.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))
  )

describe("the container's file", () => {
  const files = {
    [container]: fixture("docker/edumfa_config.py"),
    "/run/secrets/redis": "redis://:p%40ss@redis:6380/1\n"
  }
  const running = { __EDUMFA_RUNNING_IN_CONTAINER: "1" }
  const computed = (line: number, key: string, how: string, example: string) =>
    `${container}, line ${line}: ${key} is computed (${how}); write the value itself${example}, or set ${key} in the environment`

  it.effect("is refused where it computes what is needed, with the variable to set", () =>
    Effect.gen(function* () {
      const found = yield* site(files, running)
      expect(found).toMatchObject({ source: container, product: "eduMFA", queue: "Redis", name: "huey" })
      expect(found.redis).toBe(
        computed(
          29,
          "EDUMFA_JOB_QUEUE_URL",
          "get_var(…, …)",
          ", for example EDUMFA_JOB_QUEUE_URL = 'redis://localhost:6379/0'"
        )
      )
      expect(found.keyFile).toContain(
        computed(
          21,
          "EDUMFA_ENCFILE",
          `os.getenv("EDUMFA_ENCFILE", …)`,
          ", for example EDUMFA_ENCFILE = '/etc/edumfa/enckey'"
        )
      )
      expect(found.logConfig).toContain(computed(25, "EDUMFA_LOGCONFIG", "get_var(…, …)", ""))
    })
  )

  it.effect("is completed by variables and secrets in files", () =>
    Effect.gen(function* () {
      const variables = {
        ...running,
        EDUMFA_JOB_QUEUE_URL_FILE: "/run/secrets/redis",
        EDUMFA_ENCFILE: "/run/secrets/enckey",
        EDUMFA_LOGLEVEL: "DEBUG"
      }
      expect(yield* site(files, variables)).toMatchObject({
        redis: "redis:6380/1",
        keyFile: "/run/secrets/enckey",
        level: LogLevel.Debug
      })
    })
  )

  it.effect("is not read outside a container, nor beside a mounted one", () =>
    Effect.gen(function* () {
      expect((yield* site(files)).source).toBe("no configuration file")
      const both = { ...files, [edumfa]: fixture("ubuntu/edumfa.cfg") }
      expect((yield* site(both, running)).source).toBe(edumfa)
    })
  )
})

describe("the file of Ubuntu's package", () => {
  const files = { [edumfa]: fixture("ubuntu/edumfa.cfg") }

  it.effect("is read", () =>
    Effect.gen(function* () {
      expect(yield* site(files)).toStrictEqual({
        source: edumfa,
        product: "eduMFA",
        notes: [],
        queue: "Redis",
        redis: "localhost:6379/0",
        name: "mfa-mails",
        level: LogLevel.Warning,
        keyFile: "/etc/edumfa/enckey",
        logConfig: "none"
      })
    })
  )

  it.effect("wins beside privacyIDEA's, which is said", () =>
    Effect.gen(function* () {
      const variables = { PRIVACYIDEA_PI_JOB_QUEUE_NAME: "theirs" }
      const found = yield* site({ ...files, [pi]: fixture("privacyidea/pi.cfg") }, variables)
      expect(found).toMatchObject({ source: edumfa, name: "mfa-mails" })
      expect(found.notes).toStrictEqual([`${pi} is not read, for ${edumfa} is there; --config chooses`])
    })
  )

  it.effect("gives way to the environment, its connection as a whole", () =>
    Effect.gen(function* () {
      const found = yield* site(files, { EDUMFA_JOB_QUEUE_HOST: "redis.example.org", EDUMFA_JOB_QUEUE_NAME: "huey" })
      expect(found).toMatchObject({ redis: "redis.example.org:6379/0", name: "huey" })
    })
  )
})

describe("privacyIDEA's file", () => {
  const files = { [pi]: fixture("privacyidea/pi.cfg") }

  it.effect("is read, with its environment under it", () =>
    Effect.gen(function* () {
      const variables = {
        PRIVACYIDEA_PI_JOB_QUEUE_URL: "redis://redis.example.org/3",
        PRIVACYIDEA_PI_LOGLEVEL: "10",
        PRIVACYIDEA_PI_JOB_QUEUE_NAME: '"pi"'
      }
      expect(yield* site(files, variables)).toStrictEqual({
        source: pi,
        product: "privacyIDEA",
        notes: [],
        queue: "Redis",
        redis: "redis.example.org:6379/3",
        name: "pi",
        level: LogLevel.Info,
        keyFile: "/etc/privacyidea/enckey",
        logConfig: "none"
      })
    })
  )
})
