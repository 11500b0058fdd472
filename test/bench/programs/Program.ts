/**
 * The two ends of a program that runs a side in a process of its own: what it is told, and what it tells.
 */

/** Where a producer of any side enqueues, and how often. */
export interface EnqueueOptions {
  readonly redisPort: number
  readonly count: number
  /** So many before them do not count. */
  readonly warmup: number
  /** Milliseconds between two, whose subject then is the time of the call, for a worker that measures how long it took. */
  readonly pause?: number
}

export interface WorkerOptions {
  readonly redisPort: number
  readonly slots: number
  /** A directory for the log. */
  readonly directory: string
  /** `Latency`: tells how long `count` jobs took from their enqueueing, after `warmup` others; `Hang`: never ends one. */
  readonly job: "NoOp" | "Latency" | "Hang"
  readonly count: number
  readonly warmup: number
}

export interface MailsOptions {
  readonly redisPort: number
  readonly smtpPort: number
  readonly slots: number
  readonly connections: number
  /** For a side without a queue: so many mails. */
  readonly count: number
}

export interface ServerOptions {
  readonly redisPort: number
  readonly smtpPort: number
}

export interface LoginsOptions {
  /** Of the MFA server. */
  readonly port: number
  readonly way: "direct" | "queued"
  /** Who log in at the same time, each again as soon as the login before is over. */
  readonly users: number
  readonly count: number
  /** So many before them do not count. */
  readonly warmup: number
}

/** What this program was told. */
export const options = <A>(): A => JSON.parse(process.argv[2] ?? "{}")

/** Tells figures, once: a program ends then, or says that it is ready. */
export const tell = (figures: Readonly<Record<string, number>>) => {
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

/** A time that all processes of a machine share, milliseconds. */
export const now = () => Number(process.hrtime.bigint()) / 1e6
