/**
 * What can go wrong with Redis, by what it answers or by its silence.
 */
import * as Data from "effect/Data"

/**
 * What went wrong. `Connection`: no answer came, the command may have been executed or not; the others are answers:
 * `Auth` a wrong or missing password, `Denied` by an ACL, `ReadOnly` a replica, `Loading` or busy, `OutOfMemory` at
 * maxmemory, `Persistence` cannot write to its disk, `WrongType` another program's key, `Reply` anything else.
 */
export type RedisReason =
  | "Connection"
  | "Auth"
  | "Denied"
  | "ReadOnly"
  | "Loading"
  | "OutOfMemory"
  | "Persistence"
  | "WrongType"
  | "Reply"

export class RedisError extends Data.TaggedError("RedisError")<{
  readonly reason: RedisReason
  /** One line without arguments of the command. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message() {
    return this.detail
  }
}

const answers: ReadonlyArray<readonly [RegExp, RedisReason]> = [
  [/^(NOAUTH|WRONGPASS)|invalid password|invalid username/i, "Auth"],
  [/^NOPERM/, "Denied"],
  [/^READONLY/, "ReadOnly"],
  [/^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)/, "Loading"],
  [/^OOM/, "OutOfMemory"],
  [/^MISCONF/, "Persistence"],
  [/^WRONGTYPE/, "WrongType"]
]

/** The connection ended, and nothing said why. */
const lost = new Error("connection lost")

/** The words in front of a reply that a failed ready check and, before Redis 7, a script put there. */
const wrapping = /^(?:Ready check failed: )?(?:ERR Error running script .*?: )?(?:@user_script: ?\d+: )*-?/

/** A reply without what is put in front of it. */
export const unwrap = (message: string): string => message.replace(wrapping, "")

/** Sorts what a command was rejected with; `lastError` is what the connection last complained of. */
export const fromCause = (cause: unknown, lastError: unknown): RedisError => {
  const own = cause instanceof Error ? cause : new Error(String(cause))
  // What ioredis flushes with says only that it gave up; the error event before it says why.
  const error = own.name !== "MaxRetriesPerRequestError" ? own : lastError instanceof Error ? lastError : lost
  const text = unwrap(error.message)
  if (error.name === "ReplyError" || error.message.startsWith("Ready check failed: ")) {
    const reason = answers.find(([pattern]) => pattern.test(text))?.[1] ?? "Reply"
    return new RedisError({ reason, detail: `Redis answers ${text.slice(0, 200)}`, cause })
  }
  if (error.name === "ParserError") {
    return new RedisError({ reason: "Connection", detail: "what answers there does not speak Redis' protocol", cause })
  }
  const words = "code" in error && typeof error.code === "string" ? error.code : text || error.name
  return new RedisError({ reason: "Connection", detail: `Redis does not answer (${words.slice(0, 200)})`, cause })
}
