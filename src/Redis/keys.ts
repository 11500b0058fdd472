/**
 * The keys of one queue on Redis: huey's two, and our own. The hash tag of our own names puts them in the same Cluster
 * slot as huey's list, whose name has no braces.
 */
import * as Config from "effect/Config"

/** EDUMFA_JOB_QUEUE_NAME, by default huey's. */
export const nameConfig: Config.Config<string> = Config.withDefault(Config.string("EDUMFA_JOB_QUEUE_NAME"), "huey")

/** Built once per queue; no other place makes up a key. */
export interface Keys {
  /** List: producers LPUSH, the oldest message is at the right. */
  readonly queue: string
  /** Sorted set: huey's delayed messages. */
  readonly schedule: string
  /** List: where the wake-up call moves messages. */
  readonly arrived: string
  /** Hash: custody id to message bytes. */
  readonly job: string
  /** Hash: custody id to `token|deliveries|attempts|firstTakenAt`. */
  readonly meta: string
  /** Hash: custody id to the last of its failures, a line `when attempt detail` each. */
  readonly history: string
  /** Sorted set: custody id to the end of its lease, ms. */
  readonly inflight: string
  /** Sorted set: custody id to the time before which it is not granted, ms. */
  readonly delayed: string
  /** Stream of dead letters. */
  readonly dead: string
  /** Sorted set: SHA-1 of a message to when it was taken, ms: a producer may have pushed it twice. */
  readonly seen: string
  /** Hash of counters, and of what was decided about the queue. */
  readonly counters: string
  /** String of one worker: what its last three exchanges granted, a line each, should their answers get lost. */
  readonly answer: string
  /** Sorted set: name of a worker to when its last sign of life is worth nothing any more, ms. */
  readonly workers: string
  /** Hash: what breaker, of a mail server or of a login there, to its state. */
  readonly breaker: string
}

/** A queue's name as huey cleans it: every character outside `[A-Za-z0-9_]` is left out. */
const cleanName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_]/g, "")

/** The keys of the queue with this name, for the worker with this name. */
export const make = (name: string, worker = ""): Keys => {
  const queue = `huey.redis.${cleanName(name)}`
  const own = (key: string) => `{${queue}}:q:${key}`
  return {
    queue,
    schedule: `huey.schedule.${cleanName(name)}`,
    arrived: own("arrived"),
    job: own("job"),
    meta: own("meta"),
    history: own("history"),
    inflight: own("inflight"),
    delayed: own("delayed"),
    dead: own("dead"),
    seen: own("seen"),
    counters: own("counters"),
    answer: own(`answer:${worker}`),
    workers: own("workers"),
    breaker: own("breaker")
  }
}
