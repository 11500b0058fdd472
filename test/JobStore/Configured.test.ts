import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as EdumfaConfig from "../../src/EdumfaConfig.ts"
import * as ConfiguredStore from "../../src/JobStore/Configured.ts"
import { JobStore } from "../../src/JobStore.ts"
import * as Files from "../services/Files.ts"
import * as RedisServer from "../services/RedisServer.ts"

const store = (values: Parameters<typeof EdumfaConfig.layerValues>[0]) =>
  Layer.provide(ConfiguredStore.layer, EdumfaConfig.layerValues(values))

const huey = { EDUMFA_JOB_QUEUE_CLASS: "edumfa.lib.queues.huey_queue.HueyQueue" }

describe("JobStore.Configured", () => {
  it.effect("fails without a queue, with one sentence", () =>
    Effect.gen(function* () {
      const chosen = "EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue'"
      const immediate = { EDUMFA_JOB_QUEUE_IMMEDIATE: true }
      const cases: ReadonlyArray<readonly [Parameters<typeof store>[0], string]> = [
        [{}, chosen],
        [{ ...huey, ...immediate }, "EDUMFA_JOB_QUEUE_IMMEDIATE = False"],
        [immediate, `${chosen} and EDUMFA_JOB_QUEUE_IMMEDIATE = False`]
      ]
      for (const [values, lines] of cases) {
        const error = yield* Effect.flip(Effect.provide(JobStore, store(values)))
        expect(error).toMatchObject({ _tag: "NoQueue" })
        expect(error.message).toBe(
          `the job queue is off, set ${lines} in a file that --config names, for none was found`
        )
      }
    })
  )

  it.effect("says so of the file that is read where both products' are there", () =>
    Effect.gen(function* () {
      const files = { "/etc/edumfa/edumfa.cfg": "A = 1\n", "/etc/privacyidea/pi.cfg": "PI_JOB_QUEUE_CLASS = 'x'\n" }
      const config = EdumfaConfig.layer({ file: Option.none() }).pipe(
        Layer.provide(Files.layer(files)),
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map())))
      )
      const error = yield* Effect.flip(Effect.provide(JobStore, Layer.provide(ConfiguredStore.layer, config)))
      expect(error.message).toBe(
        "the job queue is off, set EDUMFA_JOB_QUEUE_CLASS = 'edumfa.lib.queues.huey_queue.HueyQueue' in /etc/edumfa/edumfa.cfg; " +
          "/etc/privacyidea/pi.cfg is not read, for /etc/edumfa/edumfa.cfg is there; --config chooses"
      )
    })
  )

  it.scopedLive("takes from the worker's own Redis where one is named", () =>
    Effect.gen(function* () {
      const { connection, url, port } = yield* RedisServer.make()
      yield* connection.use((client) => client.lpush("huey.redis.mfa", "bytes"))
      const values = {
        ...huey,
        EDUMFA_JOB_QUEUE_URL: "redis://nowhere.invalid/0",
        EDUMFA_QUEUE_WORKER_REDIS_URL: url,
        EDUMFA_JOB_QUEUE_NAME: "mfa",
        EDUMFA_QUEUE_WORKER_LEASE: 7
      }
      const taken = yield* Effect.provide(
        Effect.gen(function* () {
          const { name, lease, exchange } = yield* JobStore
          expect(name).toBe(`127.0.0.1:${port}/0 list huey.redis.mfa`)
          expect(Duration.toSeconds(lease)).toBe(7)
          return yield* exchange([], 1)
        }),
        store(values)
      )
      expect(taken.grants.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(["bytes"])
    })
  )

  it.effect("refuses a lease that is none", () =>
    Effect.gen(function* () {
      for (const lease of [0, -1, 3_601, "soon"]) {
        const values = { ...huey, EDUMFA_QUEUE_WORKER_LEASE: lease }
        const error = yield* Effect.flip(Effect.provide(JobStore, store(values)))
        expect(error).toMatchObject({ _tag: "EdumfaConfigError", reason: "Invalid" })
        expect(error.message).toContain("EDUMFA_QUEUE_WORKER_LEASE")
      }
    })
  )
})
