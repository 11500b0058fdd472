/**
 * Where a Redis is, who asks, and how it is reached.
 */
import type * as Redacted from "effect/Redacted"

/** How TLS is spoken. Paths are read anew for each connection, so that renewed files are taken without a restart. */
export interface TlsOptions {
  /** Whether the certificate has to come from a CA that is trusted. */
  readonly verify: boolean
  /** Whether the certificate has to be for the host's name. */
  readonly checkName: boolean
  readonly minVersion: "TLSv1.2" | "TLSv1.3"
  /** The CAs that are trusted, each a source of PEM; without any, those that Node trusts. */
  readonly caFile?: string
  readonly caDirectory?: string
  readonly caData?: string
  /** The client's certificate, and its key where that is in another file. */
  readonly certFile?: string
  readonly keyFile?: string
  readonly keyPassword?: Redacted.Redacted
  /** OpenSSL's list of ciphers below TLS 1.3. */
  readonly ciphers?: string
}

interface Common {
  readonly db: number
  readonly username?: string
  readonly password?: Redacted.Redacted
  /** Shown by Redis' CLIENT LIST. */
  readonly clientName?: string
  /** Milliseconds within which a link must be open, at most 10000; default 5000. */
  readonly connectTimeout?: number
  /** Milliseconds within which a command must be answered, at most 60000; the default is the connection profile's. */
  readonly replyTimeout?: number
}

/** A host that is reached over TCP. */
export interface HostAddress extends Common {
  readonly host: string
  readonly port: number
  /** Whether the system probes an idle connection; default true. */
  readonly keepAlive?: boolean
  readonly tls?: TlsOptions
}

/** A Unix socket of this machine. */
interface SocketAddress extends Common {
  readonly path: string
}

export type RedisAddress = HostAddress | SocketAddress

/** Place and database for the log: `host:port/db`, or a socket's path. */
export const show = (address: RedisAddress): string =>
  "path" in address ? `${address.path} database ${address.db}` : `${showHost(address)}/${address.db}`

const showHost = ({ host, port }: HostAddress): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

/** The address as a URL without its secrets. */
export const showUrl = (address: RedisAddress): string => {
  const user = address.username === undefined && address.password === undefined ? "" : "***@"
  if ("path" in address) return `unix://${user}${address.path}?db=${address.db}`
  return `redis${address.tls === undefined ? "" : "s"}://${user}${showHost(address)}/${address.db}`
}
