/**
 * The queue on Redis: LPUSH of a message that Python's huey can run. Needs no other right than that.
 */
import * as Config from "effect/Config"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Huey from "../Huey.ts"
import { EnqueueError, JobQueue } from "../JobQueue.ts"
import * as Keys from "../Redis/keys.ts"
import * as Ready from "../Redis/Ready.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import { Redis } from "../Redis.ts"
import * as Producer from "./Producer.ts"

export interface Options {
  /** The queue's name; huey's default is `huey`. */
  readonly queueName: string
  readonly codec: Huey.Codec
}

/** EDUMFA_JOB_QUEUE_NAME and the keys of the message codec. */
export const config: Config.Config<Options> = Config.all({
  queueName: Keys.nameConfig,
  codec: Config.map(Huey.config, Huey.make)
})

/** Of the list, behind an LPUSH. */
const isLength = (reply: unknown) => typeof reply === "number" && reply >= 1

const noLength = "Redis answers LPUSH with something else than the length of the list"

export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Context.Tag.Service<JobQueue>, never, Redis | Scope.Scope> {
  const redis = yield* Redis
  const connection = yield* redis.connect("producer")
  yield* Effect.forkScoped(Producer.practise(connection.isBusy))
  const { queue } = Keys.make(options.queueName)
  const push = `${Ready.part("LPUSH")}${Ready.part(queue)}`
  return {
    enqueue: (job, args, enqueueOptions) => {
      const [name] = job.names
      return Producer.withMessage(job, args, enqueueOptions, (message) => {
        const bytes = Producer.write(options.codec, message)
        if (Either.isLeft(bytes)) return Effect.fail(bytes.left)
        const unavailable = (cause: RedisError) =>
          Effect.fail(new EnqueueError({ reason: "Unavailable", job: name, detail: cause.detail, cause }))
        return Effect.matchEffect(
          connection.use((client) => Ready.send(client, "LPUSH", push, 2, [bytes.right])),
          {
            onFailure: unavailable,
            onSuccess: (length) =>
              isLength(length)
                ? Effect.succeed(message.id)
                : Effect.catchAll(connection.mistrust(noLength), unavailable)
          }
        )
      })
    }
  }
})

export const layer = (options: Options): Layer.Layer<JobQueue, never, Redis> => Layer.scoped(JobQueue, make(options))
