/**
 * The keys of the job queue in edumfa.cfg, and what to write instead of those that are not supported.
 */

/** Whose server it is: the names of the keys, the places of files and the class of the queue differ. */
export type Product = "eduMFA" | "privacyIDEA"

/** Every `EDUMFA_JOB_QUEUE_*` key becomes an argument of huey's RedisHuey in a Python server, so ours begin otherwise. */
const queuePrefix = "EDUMFA_JOB_QUEUE_"

/** Keys of ours that huey does not know. */
export const workerPrefix = "EDUMFA_QUEUE_WORKER_"

/** Keys that together name one Redis: one of them in the environment replaces all of them in the file. */
export const connectionKeys: ReadonlyArray<string> = [
  "EDUMFA_JOB_QUEUE_URL",
  "EDUMFA_JOB_QUEUE_HOST",
  "EDUMFA_JOB_QUEUE_PORT",
  "EDUMFA_JOB_QUEUE_DB",
  "EDUMFA_JOB_QUEUE_USERNAME",
  "EDUMFA_JOB_QUEUE_PASSWORD"
]

/** The keys that are honoured, with a value for an example where one helps. */
const accepted: Readonly<Record<string, { readonly example?: string }>> = {
  EDUMFA_JOB_QUEUE_CLASS: { example: "'edumfa.lib.queues.huey_queue.HueyQueue'" },
  EDUMFA_JOB_QUEUE_URL: { example: "'redis://localhost:6379/0'" },
  EDUMFA_JOB_QUEUE_HOST: { example: "'localhost'" },
  EDUMFA_JOB_QUEUE_PORT: { example: "6379" },
  EDUMFA_JOB_QUEUE_DB: { example: "0" },
  EDUMFA_JOB_QUEUE_USERNAME: {},
  EDUMFA_JOB_QUEUE_PASSWORD: {},
  EDUMFA_JOB_QUEUE_NAME: { example: "'huey'" },
  EDUMFA_JOB_QUEUE_COMPRESSION: { example: "False" },
  EDUMFA_JOB_QUEUE_USE_ZLIB: { example: "False" },
  EDUMFA_JOB_QUEUE_UTC: { example: "True" },
  EDUMFA_JOB_QUEUE_READ_TIMEOUT: { example: "1" },
  EDUMFA_JOB_QUEUE_BLOCKING: { example: "True" },
  EDUMFA_JOB_QUEUE_CLIENT_NAME: {},
  EDUMFA_JOB_QUEUE_IMMEDIATE: { example: "False" },
  EDUMFA_QUEUE_WORKER_REDIS_URL: { example: "'redis://localhost:6379/0'" },
  EDUMFA_QUEUE_WORKER_SIGNING_SECRET: {},
  EDUMFA_QUEUE_WORKER_SIGNING_SALT: {},
  EDUMFA_QUEUE_WORKER_SMTP: {},
  EDUMFA_QUEUE_WORKER_EHLO: {},
  EDUMFA_QUEUE_WORKER_LEASE: { example: "30" },
  EDUMFA_QUEUE_WORKER_GRACE: { example: "8" },
  EDUMFA_QUEUE_WORKER_HEARTBEAT: { example: "10" },
  EDUMFA_QUEUE_WORKER_FIRST_BACKLOG: { example: "1000" },
  EDUMFA_QUEUE_WORKER_MAX_AGES: { example: "{'otp': 300}" },
  EDUMFA_QUEUE_WORKER_TIMEOUT: { example: "60" },
  EDUMFA_QUEUE_WORKER_TIME_ZONE: { example: "'Europe/Berlin'" },
  EDUMFA_ENCFILE: { example: "'/etc/edumfa/enckey'" },
  EDUMFA_HSM_MODULE: { example: "'edumfa.lib.security.default.DefaultSecurityModule'" },
  EDUMFA_LOGLEVEL: { example: "20" }
}

/** Keys that huey takes and this queue does not, with what to do instead. */
const refused: Readonly<Record<string, string>> = {
  EDUMFA_JOB_QUEUE_RESULTS: "jobs have no results; remove it",
  EDUMFA_JOB_QUEUE_STORE_NONE: "jobs have no results; remove it",
  EDUMFA_JOB_QUEUE_CONNECTION_POOL: "set EDUMFA_JOB_QUEUE_URL instead",
  EDUMFA_JOB_QUEUE_CONNECTION_CLASS:
    "the scheme of EDUMFA_JOB_QUEUE_URL chooses the kind of connection; set that instead",
  EDUMFA_JOB_QUEUE_SERIALIZER:
    "messages are pickled as huey does by default; for signed ones set EDUMFA_QUEUE_WORKER_SIGNING_SECRET instead"
}

/** Why a key cannot be used, other keys called by `nameOf`; undefined: it is honoured, or not ours. */
export const refusal = (key: string, nameOf: (key: string) => string): string | undefined => {
  const prefix = [queuePrefix, workerPrefix].find((start) => key.startsWith(start))
  if (prefix === undefined || Object.hasOwn(accepted, key)) return undefined
  const instead = Object.hasOwn(refused, key) ? refused[key] : undefined
  if (instead !== undefined) return `is not supported: ${instead.replaceAll(/EDUMFA_\w+/g, nameOf)}`
  const names = Object.keys(accepted).filter((name) => name.startsWith(prefix))
  return `is unknown; remove it or write one of ${names.map(nameOf).join(", ")}`
}

/** A value to show where this key needs one, as the product would have it. */
export const exampleOf = (key: string, product: Product): string | undefined => {
  const example = Object.hasOwn(accepted, key) ? accepted[key]?.example : undefined
  return product === "privacyIDEA" ? example?.replace("edumfa", "privacyidea") : example
}

/** Whether the value of a key is never shown. */
export const isSecret = (key: string): boolean =>
  /(?:URL|URI|PASSWORD|SECRET|SALT|PEPPER|SMTP)$/.test(key) || key.endsWith("_KEY")

/** A key as the product calls it; those of our own are the same in both. */
export const nameIn = (product: Product, key: string): string =>
  product === "privacyIDEA" && key.startsWith("EDUMFA_") && !key.startsWith(workerPrefix)
    ? `PI_${key.slice("EDUMFA_".length)}`
    : key
