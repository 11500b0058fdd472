/**
 * What an operator allows or demands of one mail server, chosen by `host:port` and never by the identifier: whoever
 * writes a job chooses that.
 */
import * as Memo from "../Memo.ts"
import type { SmtpServer } from "../SmtpServer.ts"

/** Options of one mail server. */
export interface ServerOptions {
  /** Whether its certificate must be valid. Default: true, except on loopback. */
  readonly verify?: boolean
  /** Certificates (PEM) to trust instead of the system's. */
  readonly ca?: string
  /** Whether the password may travel without TLS. Default: false, except on loopback. */
  readonly allowPlaintextAuth?: boolean
  /** Whether it may get a password at all. Default: true. */
  readonly login?: boolean
  /** How many connections to it are open at most. Default: 10. */
  readonly connections?: number
}

/** `host:port`, with IPv6 addresses in brackets; host names in lower case. */
export const key = Memo.of(
  ({ host, port }: Pick<SmtpServer, "host" | "port">): string =>
    `${host.includes(":") ? `[${host}]` : host.toLowerCase()}:${port}`
)

/** What holds for a server: its own options, or those of all that have none. */
export const optionsOf = (
  server: SmtpServer,
  options: { readonly servers?: ReadonlyMap<string, ServerOptions>; readonly others?: ServerOptions }
): ServerOptions => options.servers?.get(key(server)) ?? options.others ?? {}

/** Whether a text is a `host:port` like those of {@link key}; the host may be none. */
export const isAddress = (text: string): boolean => {
  const port = Number(/^(?:\[[^\]]+\]|[^:/?#\s]+):(\d{1,5})$/.exec(text)?.[1] ?? 0)
  return port > 0 && port <= 65_535
}

/** The line of the configuration file that sets an option of a mail server. */
export const setting = (server: SmtpServer, option: string): string =>
  `EDUMFA_QUEUE_WORKER_SMTP = {'${key(server)}': {${option}}}`

/** What lets a mail server into a table that `'only'` closes. */
export const entry = (server: SmtpServer): string => `'${key(server)}': {}`
