/**
 * Which queue EDUMFA_JOB_QUEUE_CLASS chooses: the one place where a class of Python stands for a layer of ours.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import type { Product } from "./keys.ts"

export type QueueClass = "None" | "Redis"

const key = "EDUMFA_JOB_QUEUE_CLASS"

const immediateKey = "EDUMFA_JOB_QUEUE_IMMEDIATE"

/** The accepted values. */
const classes: ReadonlyMap<string, QueueClass> = new Map([
  ["", "None"],
  ["edumfa.lib.queues.huey_queue.HueyQueue", "Redis"],
  ["privacyidea.lib.queues.huey_queue.HueyQueue", "Redis"]
])

const accepted = [...classes.keys()].map((name) => `'${name}'`).join(", ")

const chosen = Config.string(key).pipe(
  Config.withDefault(""),
  Config.mapOrFail((name) =>
    Either.fromNullable(classes.get(name), () =>
      ConfigError.InvalidData([key], `is no queue we know; write one of ${accepted}`)
    )
  )
)

const read = Config.all({ chosen, immediate: Config.withDefault(Config.boolean(immediateKey), false) })

/** The class; EDUMFA_JOB_QUEUE_IMMEDIATE = True is none, as huey performs immediate jobs where they are enqueued. */
export const config: Config.Config<QueueClass> = Config.map(read, ({ chosen, immediate }) =>
  immediate ? "None" : chosen
)

/** What is to be written where it is none and Redis is meant, for a product and its names of keys. */
export const remedy = (product: Product, nameOf: (key: string) => string): Config.Config<string> =>
  Config.map(read, ({ chosen, immediate }) =>
    [
      ...(chosen === "None" ? [`${nameOf(key)} = '${product.toLowerCase()}.lib.queues.huey_queue.HueyQueue'`] : []),
      ...(immediate ? [`${nameOf(immediateKey)} = False`] : [])
    ].join(" and ")
  )
