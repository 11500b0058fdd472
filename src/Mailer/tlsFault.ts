/**
 * What is wrong with a mail server's TLS, in words and with what to write: OpenSSL speaks of its own insides.
 */
import type { SmtpServer } from "../SmtpServer.ts"
import { setting } from "./ServerOptions.ts"

/** How OpenSSL and Node name certificates that are not accepted. */
const certificateCode = /^(?!ERR_SSL_).*CERT|^UNABLE_TO_|SELF_SIGNED|^HOSTNAME_MISMATCH$|^INVALID_(?:CA|PURPOSE)$/

/** And handshakes that fail; both are the same every time until somebody mends them. */
const handshakeCode = /^ERR_(?:TLS|SSL)_|^EPROTO$/

/** Whether a code says that the server's certificate is not accepted. */
const isCertificate = (code: string): boolean => certificateCode.test(code)

/** Whether a code says that there is no TLS, for its certificate or for another reason. */
export const isTls = (code: string): boolean => isCertificate(code) || handshakeCode.test(code)

const selfSigned = "DEPTH_ZERO_SELF_SIGNED_CERT"
const wrongName = "ERR_TLS_CERT_ALTNAME_INVALID"

/** Codes of a CA that is not known here. */
const unknownCa: ReadonlySet<string> = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED"
])

const certificates: ReadonlyMap<string, string> = new Map([
  [selfSigned, "the certificate is signed by nobody but itself"],
  ["CERT_HAS_EXPIRED", "the certificate has expired"],
  ["CERT_NOT_YET_VALID", "the certificate is not valid yet; is the clock of this machine right?"],
  ["CERT_REVOKED", "the certificate was revoked"]
])

/** Codes by which a server speaks another protocol, or an old TLS. */
const notTls = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/
const oldTls = /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW/

/** The names that a certificate is for, in Node's message. */
const names = /is not in the cert's (?:altnames|list): (.*)$/s

/** The reason at the end of OpenSSL's `error:0A000086:SSL routines:function:reason:file:line`. */
const openSsl = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/

/** What a code and its message mean, in a few words; the code is there for whoever looks it up. */
export const describe = (code: string, message: string): string => {
  if (code === wrongName) {
    const found = names.exec(message)?.[1]?.trim() ?? ""
    return `the certificate is for another name${found === "" ? "" : `, ${found}`} (${code})`
  }
  if (isCertificate(code)) {
    const known = unknownCa.has(code) ? "the certificate is by a CA that is not known here" : certificates.get(code)
    return `${known ?? "the certificate is not accepted"} (${code})`
  }
  if (notTls.test(code) || notTls.test(message)) return `what answers there does not speak TLS (${code})`
  if (oldTls.test(code)) return `the mail server speaks no TLS from 1.2 on (${code})`
  const reason = openSsl.exec(message)?.[1]
  return `the TLS handshake fails${reason === undefined ? "" : `, ${reason}`} (${code})`
}

/** What is to be done about it. */
export const advice = (code: string, server: SmtpServer): string => {
  const write = (option: string) => `write ${setting(server, option)} to the configuration file`
  const unchecked = write("'verify': False")
  if (code === selfSigned || unknownCa.has(code)) {
    const whose = code === selfSigned ? "with that certificate" : "with the certificate of its CA"
    return `${write("'ca': '/path.pem'")}, ${whose} in that file, or 'verify': False in place of it to trust any`
  }
  if (code === wrongName) return `call the mail server as its certificate does, or ${unchecked}`
  if (isCertificate(code)) return `mend the certificate, or ${unchecked}`
  return oldTls.test(code) ? "mend the mail server" : "set port and TLS of this SMTP server so that they fit each other"
}
