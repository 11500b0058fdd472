/**
 * An SMTP server definition, as it stands in eduMFA's table `smtpserver` and travels inside a job.
 */
import * as net from "node:net"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Bounded from "./Bounded.ts"
import { normalizeDomain } from "./Domain.ts"

/** Where and how a mail is handed in. */
export interface SmtpServer {
  /** The name an administrator gave it; chosen by whoever writes the job, so it never selects a security option. */
  readonly identifier: string
  /** Host name or address, without scheme, port and path. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
  /** `Implicit`: TLS from the first byte (smtps); `StartTls`: required and verified; `Opportunistic`: only if offered. */
  readonly tls: "Implicit" | "StartTls" | "Opportunistic"
  /** Absent: no authentication. */
  readonly username?: string
  /** As stored: encrypted by eduMFA (`hex32:hex`), or in clear. */
  readonly password?: Redacted.Redacted
  /** Default sender, one mailbox; absent: the null sender. */
  readonly sender?: string
  /** Milliseconds to wait for each reply of the server; 1 to 60 000, default 10 000. */
  readonly timeout: number
  /** Whether mails for this server go through the queue (eduMFA: `enqueue_job`). */
  readonly enqueueJob: boolean
}

/** The keys of eduMFA's row that a job carries; `port`, `timeout` and `tls` may also be None, `tls` 0 or 1. */
export interface Row {
  readonly identifier: string
  readonly server: string
  readonly port: number
  readonly username: string
  /** As stored; in clear where eduMFA has it in clear. */
  readonly password: string
  readonly sender: string
  readonly tls: boolean
  readonly description: string
  /** Seconds. */
  readonly timeout: number
  readonly enqueue_job: boolean
}

/** A row that describes no SMTP server we can use. `detail` names the key and the rule, never a value. */
export class InvalidServer extends Data.TaggedError("InvalidServer")<{
  readonly reason: "Malformed" | "Scheme" | "Host" | "Port" | "Smime"
  readonly detail: string
}> {
  /** `Configuration`: nobody's mails pass until somebody mends the definition, and they are never sent unsigned. */
  get verdict(): "Permanent" | "Configuration" {
    return this.reason === "Smime" ? "Configuration" : "Permanent"
  }
  override get message() {
    return `SMTP server: ${this.detail}`
  }
}

const Text = Schema.optional(Schema.NullOr(Schema.String))
const Numeric = Schema.optional(Schema.NullOr(Schema.Union(Schema.Number, Schema.String)))
const Flag = Schema.optional(Schema.NullOr(Schema.Union(Schema.Boolean, Schema.Literal(0, 1))))

/** What a row may hold; keys that are not named here are ignored. */
const LooseRow = Schema.Struct({
  identifier: Text,
  server: Schema.String,
  port: Numeric,
  username: Text,
  password: Text,
  sender: Text,
  tls: Flag,
  timeout: Numeric,
  enqueue_job: Flag,
  smime: Schema.optional(Schema.Unknown)
})

/** A number, or a number as text; None and "" count as absent. */
const toNumber = (value: number | string | null | undefined): number | undefined => {
  if (typeof value === "number") return value
  const text = value?.trim() ?? ""
  return text === "" ? undefined : Number(text)
}

/** eduMFA's default in seconds, and the most we wait for one reply: a code is dead by then. */
const defaultTimeout = 10
const maxTimeout = 60

const toTimeout = (value: number | string | null | undefined): number => {
  const seconds = toNumber(value) ?? 0
  return Math.max(1, Math.round(1000 * (seconds > 0 ? Math.min(seconds, maxTimeout) : defaultTimeout)))
}

/** Characters of `server`, path and all; more is not even looked at. */
const maxAddress = 2_000

/** RFC 1035 2.3.4, without the root's dot. */
const maxHost = 253

interface Address {
  readonly secure: boolean
  readonly host: string
  readonly port: number | undefined
}

/** `host`, `host:port`, `smtp://…`, `smtps://…`, IPv6 bare or in brackets; path, query and userinfo are ignored. */
const parseAddress = (server: string): Either.Either<Address, InvalidServer> => {
  if (server.length > maxAddress) {
    return Either.left(new InvalidServer({ reason: "Host", detail: "server is longer than any host name and path" }))
  }
  const [, writtenScheme, rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(server.trim()) ?? []
  const scheme = writtenScheme?.toLowerCase() ?? "smtp"
  if (scheme !== "smtp" && scheme !== "smtps") {
    return Either.left(new InvalidServer({ reason: "Scheme", detail: "server is neither smtp:// nor smtps://" }))
  }
  const secure = scheme === "smtps"
  const [beforePath = ""] = rest.split(/[/?#]/, 1)
  const authority = writtenScheme === undefined ? beforePath : beforePath.slice(beforePath.lastIndexOf("@") + 1)
  // The first look of Node at an IPv6 address takes 5 ms.
  if (authority.includes(":") && net.isIPv6(authority))
    return Either.right({ secure, host: authority, port: undefined })
  const [, v6, name = "", port] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(\d{1,9}))?$/.exec(authority) ?? []
  const host = v6 === undefined ? normalizeDomain(name) : net.isIPv6(v6) ? v6 : undefined
  return host === undefined || host.length > maxHost
    ? Either.left(new InvalidServer({ reason: "Host", detail: "server is no host name, address or host:port" }))
    : Either.right({ secure, host, port: port === undefined ? undefined : Number(port) })
}

const decodeRow = Schema.decodeUnknownEither(LooseRow)

const isPresent = (text: string | null | undefined): text is string =>
  text !== undefined && text !== null && text !== ""

/**
 * Reads eduMFA's row or the `config` of a job (a record, or a Map as a Python dict is decoded).
 *
 * The port is the one in `server`, else `port`, else 25 or 465; 0 and None count as absent. `timeout` is in seconds:
 * None or ≤ 0 is 10, more than 60 is 60. `enqueue_job` absent: true, the row came from a queue.
 */
export const fromRow = (row: unknown): Either.Either<SmtpServer, InvalidServer> =>
  Either.gen(function* () {
    const decoded = decodeRow(row instanceof Map ? Object.fromEntries(row) : row)
    // The message of a ParseError quotes the value, which may be a password: only the key is told.
    const loose = yield* Either.mapLeft(decoded, (error) => {
      const key = ParseResult.ArrayFormatter.formatErrorSync(error)[0]?.path[0]
      const detail = key === undefined ? "not a dict" : `${String(key)} is missing or of the wrong type`
      return new InvalidServer({ reason: "Malformed", detail })
    })
    const { smime } = loose
    if (smime !== undefined && smime !== null && smime !== false && smime !== 0 && smime !== "") {
      return yield* Either.left(new InvalidServer({ reason: "Smime", detail: "S/MIME is not supported" }))
    }
    const address = yield* parseAddress(loose.server)
    const written = address.port || (toNumber(loose.port) ?? 0)
    const port = written === 0 ? (address.secure ? 465 : 25) : written
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return yield* Either.left(new InvalidServer({ reason: "Port", detail: "port is not between 1 and 65535" }))
    }
    return {
      identifier: loose.identifier ?? "",
      host: address.host,
      port,
      tls: address.secure ? "Implicit" : loose.tls ? "StartTls" : "Opportunistic",
      ...(isPresent(loose.username) ? { username: loose.username } : {}),
      ...(isPresent(loose.password) ? { password: Redacted.make(loose.password) } : {}),
      ...(isPresent(loose.sender?.trim()) ? { sender: loose.sender.trim() } : {}),
      timeout: toTimeout(loose.timeout),
      enqueueJob: Boolean(loose.enqueue_job ?? true)
    } satisfies SmtpServer
  })

/** A worker's mails name few servers; whoever enqueues may name any. */
const maxRemembered = 100

/** Keys and characters of a row that is remembered: eduMFA's has ten keys, and one of a job may have as many as fit into it. */
const maxKeys = 32
const maxCharacters = 4_000

type Values = Readonly<Record<string, unknown>>

const isRecord = (row: unknown): row is Values => typeof row === "object" && row !== null && !(row instanceof Map)

/** A copy, for whoever has the row may change it; none of what is more than a few short texts, numbers and the like. */
const copyOf = (row: Values): ReadonlyMap<string, unknown> | undefined => {
  const entries = Object.entries(row)
  if (entries.length > maxKeys) return undefined
  let characters = 0
  for (const [key, value] of entries) {
    if (typeof value === "object" && value !== null) return undefined
    characters += key.length + (typeof value === "string" ? value.length : 0)
  }
  return characters > maxCharacters ? undefined : new Map(entries)
}

const isSame = (copy: ReadonlyMap<string, unknown>, row: Values): boolean => {
  let keys = 0
  for (const key in row) {
    const value = row[key]
    if (copy.get(key) !== value || (value === undefined && !copy.has(key))) return false
    keys += 1
  }
  return keys === copy.size
}

/** {@link fromRow} for whoever reads the same few rows again and again: it remembers them, with what they are. */
export const makeReader = (): typeof fromRow => {
  const remembered = new Map<unknown, { readonly copy: ReadonlyMap<string, unknown>; readonly server: SmtpServer }>()
  return (row) => {
    if (!isRecord(row)) return fromRow(row)
    const { identifier } = row
    const known = remembered.get(identifier)
    if (known !== undefined && isSame(known.copy, row)) return Either.right(known.server)
    return Either.map(fromRow(row), (server) => {
      const copy = copyOf(row)
      if (copy === undefined) return server
      Bounded.set(remembered, identifier, { copy, server }, maxRemembered)
      return server
    })
  }
}

/**
 * The `config` of a job for this server, as eduMFA's Python reads it: {@link fromRow} gives the server back. The
 * password stands in it as stored.
 */
export const toRow = (server: SmtpServer): Row => ({
  identifier: server.identifier,
  server: server.tls === "Implicit" ? `smtps://${server.host}` : server.host,
  port: server.port,
  username: server.username ?? "",
  password: server.password === undefined ? "" : Redacted.value(server.password),
  sender: server.sender ?? "",
  tls: server.tls === "StartTls",
  description: "",
  timeout: server.timeout / 1000,
  enqueue_job: server.enqueueJob
})
