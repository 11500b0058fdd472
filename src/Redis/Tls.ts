/**
 * What Node needs to speak TLS with a Redis: certificates and keys from files, and one clear line where one cannot be
 * used.
 */
import { readdir, readFile } from "node:fs/promises"
import { isIP } from "node:net"
import { join } from "node:path"
import * as NodeTls from "node:tls"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { HostAddress, TlsOptions } from "./Address.ts"
import { RedisError } from "./RedisError.ts"

const unusable = (what: string, cause: unknown) => {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : String(cause)
  return new RedisError({ reason: "Tls", detail: `${what} (${code})`, cause })
}

const read = (option: string, path: string): Effect.Effect<string, RedisError> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => unusable(`${option} ${path} cannot be read`, cause)
  })

/** PEM text of CAs; what else lies in a directory of them is no matter. */
const authorities = Effect.fnUntraced(function* (tls: TlsOptions) {
  const texts: Array<string> = []
  if (tls.caData !== undefined) texts.push(tls.caData)
  if (tls.caFile !== undefined) texts.push(yield* read("ssl_ca_certs", tls.caFile))
  if (tls.caDirectory !== undefined) {
    const directory = tls.caDirectory
    const entries = yield* Effect.tryPromise({
      try: () => readdir(directory, { withFileTypes: true }),
      catch: (cause) => unusable(`ssl_ca_path ${directory} cannot be read`, cause)
    })
    for (const entry of entries) {
      if (!entry.isDirectory()) texts.push(yield* read("ssl_ca_path", join(directory, entry.name)))
    }
  }
  const certificates = [...new Set(texts.filter((text) => text.includes("-----BEGIN CERTIFICATE-----")))]
  const named = [
    ...(tls.caData === undefined ? [] : ["ssl_ca_data"]),
    ...(tls.caFile === undefined ? [] : [`ssl_ca_certs ${tls.caFile}`]),
    ...(tls.caDirectory === undefined ? [] : [`ssl_ca_path ${tls.caDirectory}`])
  ].join(" and ")
  if (named !== "" && certificates.length === 0) {
    return yield* new RedisError({ reason: "Tls", detail: `${named} holds no certificate in PEM` })
  }
  return certificates
})

/** The options of a TLS connection to this host. */
export const options = Effect.fnUntraced(function* (
  { host }: HostAddress,
  tls: TlsOptions
): Effect.fn.Return<NodeTls.ConnectionOptions, RedisError> {
  const ca = yield* authorities(tls)
  const cert = tls.certFile === undefined ? undefined : yield* read("ssl_certfile", tls.certFile)
  const key = tls.keyFile === undefined ? cert : yield* read("ssl_keyfile", tls.keyFile)
  const secureContext = yield* Effect.try({
    try: () =>
      NodeTls.createSecureContext({
        minVersion: tls.minVersion,
        ...(ca.length === 0 ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(tls.keyPassword === undefined ? {} : { passphrase: Redacted.value(tls.keyPassword) }),
        ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers })
      }),
    catch: (cause) => unusable("the ssl_ options of the Redis URL cannot be used together", cause)
  })
  return {
    secureContext,
    rejectUnauthorized: tls.verify,
    // An address is no server name; its certificate is checked for it all the same.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(tls.checkName ? {} : { checkServerIdentity: () => undefined })
  }
})
