/**
 * What can go wrong with Redis, by what it answers or by its silence.
 */
import * as Data from "effect/Data"

/**
 * What went wrong. `Connection`: no answer came, the command may have been executed or not; the others are answers:
 * `Auth` a wrong or missing password, `Denied` by an ACL, `ReadOnly` a replica, `Loading` or busy or full, `OutOfMemory` at
 * maxmemory, `Persistence` cannot write to its disk, `WrongType` another program's key, `Reply` anything else. `Tls`: certificates
 * or keys, its own or ours, and what TLS does not get over.
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
  | "Tls"

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
  [/^(NOAUTH|WRONGPASS)|invalid password|invalid username|any password configured|no password is set/i, "Auth"],
  // The long one is what Redis 7.0 says inside a script.
  [/^(NOPERM|DENIED|ERR The user executing the script can't )/, "Denied"],
  [/^READONLY/, "ReadOnly"],
  [/^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|ERR max number of clients)/, "Loading"],
  [/^OOM/, "OutOfMemory"],
  [/^MISCONF/, "Persistence"],
  [/^WRONGTYPE/, "WrongType"]
]

/** A connection ended, and nothing said why. */
export const lost: Error = new Error("connection lost")

/** The words that a script puts in front of a reply before Redis 7. */
const wrapping = /^(?:ERR Error running script .*?: )?(?:@user_script: ?\d+: )*-?/

/** And the words that it puts behind one since. */
const place = / script: [0-9a-f]+, on @user_script: ?\d+\.?$/

/** A reply without what is put around it, and without its full stop: more is said behind it. */
export const unwrap = (message: string): string => message.replace(wrapping, "").replace(place, "").replace(/\.$/, "")

/** What ioredis says of a reply that no command waits for, with the reply behind it. */
const unasked = /^Command queue state error\..*? Last (?:error|reply): (.*)$/s

/** What came is no reply of a Redis to our commands. */
export const nonsense = (cause: unknown): RedisError =>
  new RedisError({ reason: "Connection", detail: "what answers there does not speak Redis' protocol", cause })

/** The codes of OpenSSL and Node for a server's certificate that is not accepted. */
const certificate = /^(CERT_|CRL_|.*_CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_)/

const remedies: ReadonlyMap<string, string> = new Map([
  ["ERR_TLS_CERT_ALTNAME_INVALID", "it is not for the host's name in the URL"],
  ["CERT_HAS_EXPIRED", "it has expired"],
  ["CERT_NOT_YET_VALID", "it is not valid yet; is the clock right?"]
])

const tlsDetail = (code: string): string | undefined => {
  if (certificate.test(code)) {
    return `Redis' certificate is not accepted (${code}): ${remedies.get(code) ?? "name its CA by ssl_ca_certs in the URL"}`
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return `what answers there does not speak TLS (${code})`
  return /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$)/.test(code) ? `TLS with Redis fails (${code})` : undefined
}

/** Sorts what a command was rejected with, or what ended a connection. A RedisError stays as it is. */
export const fromCause = (cause: unknown): RedisError => {
  if (cause instanceof RedisError) return cause
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const said = unasked.exec(error.message)?.[1]
  const text = unwrap(said ?? error.message)
  const answer = answers.find(([pattern]) => pattern.test(text))?.[1]
  // A server that lets nobody in says so before it is asked.
  if (error.name === "ReplyError" || (said !== undefined && answer !== undefined)) {
    return new RedisError({ reason: answer ?? "Reply", detail: `Redis answers ${text.slice(0, 200)}`, cause })
  }
  if (error.name === "ParserError" || said !== undefined) return nonsense(cause)
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined
  const tls = code === undefined ? undefined : tlsDetail(code)
  if (tls !== undefined) return new RedisError({ reason: "Tls", detail: tls, cause })
  const words = code ?? (text || error.name)
  return new RedisError({ reason: "Connection", detail: `Redis does not answer (${words.slice(0, 200)})`, cause })
}
