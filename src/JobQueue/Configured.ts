/**
 * The queue that EDUMFA_JOB_QUEUE_CLASS chooses.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as QueueClass from "../EdumfaConfig/QueueClass.ts"
import { EdumfaConfig, type EdumfaConfigError } from "../EdumfaConfig.ts"
import type { Jobs } from "../Job.ts"
import type { JobQueue } from "../JobQueue.ts"
import * as Redis from "../Redis.ts"
import * as None from "./None.ts"
import * as RedisQueue from "./Redis.ts"

const redis = Effect.gen(function* () {
  const { get } = yield* EdumfaConfig
  const options = yield* get(RedisQueue.config)
  return Layer.provide(RedisQueue.layer(options), Layer.succeed(Redis.Redis, yield* get(Redis.config)))
})

/**
 * None performs the jobs where they are enqueued, so the layer needs what their handlers need, whatever is chosen: an
 * honest union. Fails when the configuration cannot be used; a Redis that does not answer fails an `enqueue` instead.
 */
export const layer = <R>(jobs: Jobs<R>): Layer.Layer<JobQueue, EdumfaConfigError, R | EdumfaConfig> => {
  const queues = { None: Effect.succeed(None.layer(jobs)), Redis: redis }
  return Layer.unwrapEffect(
    Effect.flatMap(
      Effect.flatMap(EdumfaConfig, ({ get }) => get(QueueClass.config)),
      (chosen): Effect.Effect<Layer.Layer<JobQueue, never, R>, EdumfaConfigError, EdumfaConfig> => queues[chosen]
    )
  )
}
