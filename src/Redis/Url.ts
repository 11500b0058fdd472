/**
 * Redis URLs as redis-py reads them, which `URL` and ioredis do differently.
 */
import { isIPv6 } from "node:net"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Address from "./Address.ts"
import * as UrlOptions from "./UrlOptions.ts"

export type RedisAddress = Address.RedisAddress

/** What a URL says. */
export interface Parsed {
  readonly address: RedisAddress
  /** What has no effect here, a line each, for the log. */
  readonly notes: ReadonlyArray<string>
}

/** `Option`: one that is not supported, or not with this value; the others name no Redis for redis-py either. */
export type RedisUrlReason = "Scheme" | "Host" | "Port" | "Database" | "Path" | "Option"

/** A URL that cannot be used. */
export class RedisUrlError extends Data.TaggedError("RedisUrlError")<{
  readonly reason: RedisUrlReason
  /** One line without any part of the URL but the names of known options. */
  readonly detail: string
}> {
  override get message() {
    return this.detail
  }
}

const refuse = (reason: RedisUrlReason, detail: string) => Either.left(new RedisUrlError({ reason, detail }))

/** Python's `unquote`: what is no escape stays as it is, what is no UTF-8 becomes U+FFFD. */
const unquote = (text: string): string =>
  text.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString("utf8")
  )

/** Splits at the first separator; the second part is undefined where there is none. */
const cut = (text: string, separator: string): readonly [string, string | undefined] => {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}

/** Python's `int`. */
const integer = (text: string): number | undefined => {
  const digits = /^[+-]?[0-9]+(?:_[0-9]+)*$/.exec(text.trim())?.[0].replaceAll("_", "")
  return digits === undefined ? undefined : Number(digits)
}

/** Python's `parse_qs`: the first value of each name; empty ones do not count. */
const parseQuery = (query: string): ReadonlyMap<string, string> => {
  const options = new Map<string, string>()
  for (const part of query.split("&")) {
    const [name, value] = cut(part, "=").map((side) => unquote((side ?? "").replaceAll("+", " ")))
    if (name !== undefined && value !== undefined && value !== "" && !options.has(name)) options.set(name, value)
  }
  return options
}

/** Host and port of `host:port` and `[address]:port`. */
const splitHost = (text: string): Either.Either<readonly [string, string | undefined], RedisUrlError> => {
  if (!text.startsWith("[")) return Either.right(cut(text, ":"))
  const [address, rest = ""] = cut(text.slice(1), "]")
  if (!isIPv6(cut(address, "%")[0])) return refuse("Host", "the address in brackets is not an IPv6 address")
  return Either.right([address, cut(rest, ":")[1]])
}

const parsePort = (text: string | undefined): Either.Either<number | undefined, RedisUrlError> => {
  if (text === undefined || text === "") return Either.right(undefined)
  const port = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
  // Python takes port 0 for no port.
  return port <= 65_535 ? Either.right(port || undefined) : refuse("Port", "the port is not a number from 0 to 65535")
}

const schemes = ["redis://", "rediss://", "unix://"] as const

/**
 * Reads `redis://[[username]:password@]host[:port][/db][?options]`, likewise `rediss://` for TLS, and
 * `unix://[[username]:password@]/path[?db=n&options]`. Username, password, host and database may be given as options,
 * too. Defaults: localhost, 6379, 0. A path that is no number names no database, as in redis-py.
 */
export const parse = (url: string): Either.Either<Parsed, RedisUrlError> =>
  Either.gen(function* () {
    const scheme = schemes.find((start) => url.startsWith(start))
    if (scheme === undefined) {
      return yield* refuse("Scheme", "the URL must begin with redis://, rediss:// or unix://")
    }
    // Python's urlsplit leaves these out wherever they stand.
    const [withoutFragment] = cut(url.slice(scheme.length).replaceAll(/[\t\r\n]/g, ""), "#")
    const [beforeQuery, query = ""] = cut(withoutFragment, "?")
    const [authority, path] = cut(beforeQuery, "/")
    if (authority.includes("[") !== authority.includes("]")) {
      return yield* refuse("Host", "square brackets belong around an IPv6 address; write others as %5B and %5D")
    }
    const at = authority.lastIndexOf("@")
    const [user, secret] = cut(at === -1 ? "" : authority.slice(0, at), ":")
    const [rawHost, rawPort] = yield* splitHost(authority.slice(at + 1))

    const options = parseQuery(query)
    const { tls, keepAlive, notes, ...more } = yield* Either.mapLeft(
      // Behind a question mark in a password the host follows after an @.
      UrlOptions.parse(options, scheme, !query.includes("@")),
      (detail) => new RedisUrlError({ reason: "Option", detail })
    )
    const db = integer(options.get("db") ?? "0")
    if (db === undefined) return yield* refuse("Database", "the option db is not a number")
    const username = unquote(user) || options.get("username")
    const password = unquote(secret ?? "") || options.get("password")
    const common = {
      ...(username ? { username } : {}),
      ...(password ? { password: Redacted.make(password) } : {}),
      ...more
    }
    if (scheme === "unix://") {
      const socket = path === undefined ? options.get("path") : unquote(`/${path}`)
      if (socket === undefined) return yield* refuse("Path", "the path of the Unix socket is missing")
      return { address: { path: socket, db, ...common }, notes }
    }

    // A zone after the percent sign keeps its case.
    const [name, zone] = cut(rawHost, "%")
    const host = unquote(zone === undefined ? name.toLowerCase() : `${name.toLowerCase()}%${zone}`)
    const port = (yield* parsePort(rawPort)) ?? (yield* parsePort(options.get("port")))
    const address = {
      host: host || options.get("host") || "localhost",
      port: port ?? 6379,
      db: options.has("db") ? db : (integer(unquote(path ?? "").replaceAll("/", "")) ?? 0),
      ...common,
      ...(keepAlive === undefined ? {} : { keepAlive }),
      ...(scheme === "rediss://" ? { tls } : {})
    }
    return { address, notes }
  })

/** A URL for logs: place and database. Nothing is shown of a URL that cannot be read: any part may be the password. */
export const redact = (url: string): string =>
  Either.match(parse(url), {
    onLeft: () => "an unusable Redis URL",
    onRight: ({ address }) => Address.showUrl(address)
  })
