/**
 * Domain names and address literals, as addresses and host names have them.
 */
import * as net from "node:net"
import { domainToASCII } from "node:url"

const asciiDomain = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i
/** Whether a text has nothing outside ASCII. */
export const isAscii = (text: string) => /^\p{ASCII}*$/u.test(text)

/** A domain in the form that goes on the wire, or none if it is not one. */
export const normalizeDomain = (domain: string): string | undefined => {
  // As nearly all are.
  if (asciiDomain.test(domain)) return domain
  const literal = /^\[(?:IPv6:([^\]]*)|([^\]]*))\]$/i.exec(domain)
  if (literal !== null) {
    const [, v6, v4] = literal
    return (v6 === undefined ? net.isIPv4(v4 ?? "") : net.isIPv6(v6) && !v6.includes("%")) ? domain : undefined
  }
  if (isAscii(domain)) return undefined
  // domainToASCII decodes percent signs and reads numbers as IPv4 addresses: check before and after.
  if (!/^(?:[\w.-]|[^\p{ASCII}])+$/u.test(domain)) return undefined
  const labels = domainToASCII(domain)
  return asciiDomain.test(labels) && !net.isIPv4(labels) ? labels : undefined
}
