/**
 * The name this machine gives itself in EHLO, found as Python's smtplib finds it.
 */
import * as dns from "node:dns/promises"
import * as os from "node:os"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

/** Host names as RFC 5321 4.1.2 has them, and `_`, which Python lets through. */
const hostName = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/i

/** What smtplib says where nothing else is known. */
const fallback = "[127.0.0.1]"

/** A resolver without servers may take a minute; no mail waits for that. */
const limit = "5 seconds"

const literal = (address: string): string => (address.includes(":") ? `[IPv6:${address}]` : `[${address}]`)

const lookUp = async (name: string): Promise<string> => {
  const { address } = await dns.lookup(name)
  const found = await dns.lookupService(address, 0).catch(() => undefined)
  return found !== undefined && hostName.test(found.hostname) ? found.hostname : literal(address)
}

/** The host name if it is fully qualified, else the name of its address, else the address as a literal. */
export const find: Effect.Effect<string> = Effect.suspend(() => {
  const name = os.hostname()
  if (hostName.test(name)) return Effect.succeed(name)
  return Effect.tryPromise(() => lookUp(name)).pipe(
    Effect.timeout(limit),
    Effect.tapError((cause) => Effect.logDebug("no name for EHLO", cause)),
    Effect.orElseSucceed(() => fallback)
  )
})

/** Asks for the name that is given, or else for the one that is found when it is first asked for; decided from then on. */
export const make = (given: string | undefined): Effect.Effect<() => Effect.Effect<string>> =>
  Effect.map(Effect.cached(find), (name) => {
    let known = given
    const look = Effect.tap(name, (it) => {
      known = it
    })
    return () => (known === undefined ? look : Either.right(known))
  })
