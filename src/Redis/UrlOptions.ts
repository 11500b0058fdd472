/**
 * What comes behind the question mark of a Redis URL: each option of redis-py is honoured, has no effect and says so, or
 * is refused by name. None is dropped silently.
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { TlsOptions } from "./Address.ts"

/** What was read besides host, port, database and credentials. */
export interface UrlOptions {
  readonly clientName?: string
  readonly connectTimeout?: number
  readonly replyTimeout?: number
  readonly keepAlive?: boolean
  readonly tls: TlsOptions
  /** What has no effect here, a line each. */
  readonly notes: ReadonlyArray<string>
}

type Scheme = "redis://" | "rediss://" | "unix://"

/** Options of redis-py that mean nothing here, and why. */
const withoutEffect: ReadonlyMap<string, string> = new Map([
  ["health_check_interval", "every command finds out a dead connection"],
  ["max_connections", "a worker has three connections, a server one"],
  ["retry_on_timeout", "a connection that gives no answer is replaced"],
  ["retry_on_error", "a connection that gives no answer is replaced"],
  ["socket_read_size", "it is the system's"],
  ["protocol", "RESP2 is spoken, which every Redis does"],
  ["legacy_responses", "replies are read in one way"],
  ["lib_name", "no library name is sent"],
  ["lib_version", "no library version is sent"],
  ["encoding", "messages are bytes"],
  ["encoding_errors", "messages are bytes"]
])

/** The options that only a host has. */
const ofHosts = new Set(["host", "port", "socket_keepalive"])

/** The options of the address itself, which the URL's reader takes. */
const ofAddress = new Set(["host", "port", "db", "username", "password", "path"])

/** A dead connection has to be noticed while a one-time code lives. Seconds. */
const maxReply = 60

/** While Redis does not answer a try begins each second, and no more than this many may pile up. Seconds. */
const maxConnect = 10

/** redis-py's `to_bool`. */
const bool = (text: string): boolean => !["0", "F", "FALSE", "N", "NO"].includes(text.toUpperCase())

type Draft = { -readonly [K in keyof Omit<UrlOptions, "tls" | "notes">]: UrlOptions[K] } & {
  tls: { -readonly [K in keyof TlsOptions]: TlsOptions[K] }
  notes: Array<string>
}

/** Sets what an option says; answers with what is wrong with its value. */
type Reader = (draft: Draft, value: string) => string | undefined

const seconds =
  (name: string, field: "connectTimeout" | "replyTimeout", most: number): Reader =>
  (draft, value) => {
    const given = Number(value)
    if (!(given > 0)) return "is not a number of seconds above 0"
    if (given > most) draft.notes.push(`${name} counts as ${most} seconds: a dead connection has to be noticed`)
    draft[field] = Math.max(1, Math.round(Math.min(given, most) * 1_000))
    return undefined
  }

const text =
  (field: "caFile" | "caDirectory" | "caData" | "certFile" | "keyFile" | "ciphers"): Reader =>
  (draft, value) => {
    draft.tls[field] = value
    return undefined
  }

/** Python's `ssl.TLSVersion`. TLS 1.0 and 1.1 are not spoken any more. */
const versions: ReadonlyMap<string, TlsOptions["minVersion"]> = new Map([
  ["769", "TLSv1.2"],
  ["770", "TLSv1.2"],
  ["771", "TLSv1.2"],
  ["772", "TLSv1.3"]
])

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["socket_timeout", seconds("socket_timeout", "replyTimeout", maxReply)],
  ["socket_connect_timeout", seconds("socket_connect_timeout", "connectTimeout", maxConnect)],
  [
    "socket_keepalive",
    (draft, value) => {
      draft.keepAlive = bool(value)
      return undefined
    }
  ],
  [
    "client_name",
    (draft, value) => {
      if (!/^[!-~]+$/.test(value))
        draft.notes.push("client_name has characters that Redis takes in no name: there is none")
      else draft.clientName = value
      return undefined
    }
  ],
  [
    "ssl_cert_reqs",
    (draft, value) => {
      // For a client, Python's "optional" is the same as "required".
      if (!["none", "optional", "required"].includes(value)) return "is not none, optional or required"
      draft.tls.verify = value !== "none"
      return undefined
    }
  ],
  [
    "ssl_check_hostname",
    (draft, value) => {
      draft.tls.checkName = bool(value)
      return undefined
    }
  ],
  ["ssl_ca_certs", text("caFile")],
  ["ssl_ca_path", text("caDirectory")],
  ["ssl_ca_data", text("caData")],
  ["ssl_certfile", text("certFile")],
  ["ssl_keyfile", text("keyFile")],
  ["ssl_ciphers", text("ciphers")],
  [
    "ssl_password",
    (draft, value) => {
      draft.tls.keyPassword = Redacted.make(value)
      return undefined
    }
  ],
  [
    "ssl_min_version",
    (draft, value) => {
      const version = versions.get(value)
      if (version === undefined) return "is not 769, 770, 771 (TLS 1.2) or 772 (TLS 1.3)"
      if (value === "769" || value === "770") draft.notes.push("ssl_min_version counts as 771: TLS is 1.2 at least")
      draft.tls.minVersion = version
      return undefined
    }
  ]
])

/** The name of an option, where it may be told and looks like one. */
const shown = (name: string, mayTell: boolean): string =>
  mayTell && /^[a-z][a-z0-9_]{0,40}$/.test(name) ? `the option ${name}` : "an option after the question mark"

/**
 * Reads the options of a URL; the left is one line on what is refused, without any value. Names that are not known are told
 * only where they cannot be a piece of a password with a question mark in it.
 */
export const parse = (
  options: ReadonlyMap<string, string>,
  scheme: Scheme,
  mayTell: boolean
): Either.Either<UrlOptions, string> => {
  const draft: Draft = { tls: { verify: true, checkName: true, minVersion: "TLSv1.2" }, notes: [] }
  for (const [name, value] of options) {
    if (scheme === "unix://" ? ofHosts.has(name) : name === "path") {
      return Either.left(`the option ${name} means nothing in a URL that begins with ${scheme}; remove it`)
    }
    if (ofAddress.has(name)) continue
    const reason = withoutEffect.get(name)
    const reader = readers.get(name)
    if (reason !== undefined && (name !== "encoding" || /^utf-?8$/i.test(value))) {
      draft.notes.push(`the option ${name} has no effect here: ${reason}`)
    } else if (reader === undefined) {
      return Either.left(
        `${reason === undefined ? shown(name, mayTell) : `this ${name}`} is not supported; remove it from the URL`
      )
    } else if (name.startsWith("ssl_") && scheme !== "rediss://") {
      return Either.left(`the option ${name} needs a URL that begins with rediss://`)
    } else {
      const wrong = reader(draft, value)
      if (wrong !== undefined) return Either.left(`the option ${name} ${wrong}`)
    }
  }
  if (draft.tls.certFile === undefined && draft.tls.keyFile !== undefined) {
    return Either.left("the option ssl_keyfile needs ssl_certfile")
  }
  return Either.right(draft)
}
