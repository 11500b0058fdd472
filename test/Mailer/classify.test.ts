import { describe, expect, it } from "@effect/vitest"
import { SmtpFault } from "../../src/Mailer/Connection.ts"
import { toMailerError, toRefusal } from "../../src/Mailer/classify.ts"
import type { Stage } from "../../src/Mailer/Progress.ts"
import type { DriverError } from "../../src/Mailer/Session.ts"

const confidential = { subject: "S", body: "Code 736251", words: [] }
const driverError = (fields: Partial<DriverError>, message = "message"): DriverError =>
  Object.assign(new Error(message), fields)
const classify = (stage: Stage, fields: Partial<DriverError>) => {
  const { reason, verdict } = toMailerError(new SmtpFault({ error: driverError(fields) }), stage, confidential)
  return [reason, verdict]
}
const reply = (responseCode: number, code = "EENVELOPE") => ({ code, responseCode, response: `${responseCode} text` })

describe("a reply", () => {
  it.each([
    ["Connect", reply(554, "EPROTOCOL"), "Protocol", "Transient"],
    ["Connect", reply(421, "EPROTOCOL"), "ConnectionLost", "Transient"],
    ["Connect", reply(500, "ECONNECTION"), "Protocol", "Transient"],
    ["Connect", reply(502, "ETLS"), "Tls", "Configuration"],
    ["Connect", reply(454, "ETLS"), "Tls", "Transient"],
    ["Login", reply(535, "EAUTH"), "Authentication", "Configuration"],
    ["Login", reply(534, "EAUTH"), "Authentication", "Configuration"],
    ["Login", reply(530, "EAUTH"), "Authentication", "Configuration"],
    ["Login", reply(454, "EAUTH"), "Authentication", "Transient"],
    ["Login", reply(503, "EAUTH"), "Authentication", "Transient"],
    ["Login", reply(334, "EAUTH"), "Protocol", "Transient"],
    ["Envelope", reply(530), "Authentication", "Configuration"],
    ["Envelope", reply(450), "Refused", "Transient"],
    ["Envelope", reply(503), "Refused", "Transient"],
    ["Envelope", reply(550), "Refused", "Permanent"],
    ["Envelope", reply(421, "ECONNECTION"), "ConnectionLost", "Transient"],
    ["Body", reply(552, "EMESSAGE"), "Refused", "Permanent"],
    ["Dot", reply(451, "EMESSAGE"), "Refused", "Transient"],
    ["Dot", reply(554, "EMESSAGE"), "Refused", "Permanent"],
    ["Dot", reply(354, "EMESSAGE"), "Protocol", "Unknown"]
  ] as const)("%s %o: %s, %s", (stage, fields, reason, verdict) => {
    expect(classify(stage, fields)).toEqual([reason, verdict])
  })
})

describe("no reply", () => {
  it.each([
    ["Connect", { code: "ECONNREFUSED" }, "Connect", "Transient"],
    ["Connect", { code: "ENOTFOUND" }, "Connect", "Transient"],
    ["Connect", { code: "ETIMEDOUT" }, "Timeout", "Transient"],
    ["Connect", { code: "ESOCKET", originalCode: "CERT_HAS_EXPIRED" }, "Tls", "Configuration"],
    ["Connect", { code: "ESOCKET", originalCode: "ERR_TLS_CERT_ALTNAME_INVALID" }, "Tls", "Configuration"],
    ["Connect", { code: "ESOCKET", originalCode: "ERR_SSL_WRONG_VERSION_NUMBER" }, "Tls", "Configuration"],
    ["Connect", { code: "ESOCKET", originalCode: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }, "Tls", "Configuration"],
    ["Connect", { code: "ESOCKET", originalCode: "ECONNRESET" }, "Connect", "Transient"],
    ["Connect", { code: "ETLS", command: "STARTTLS" }, "Tls", "Configuration"],
    ["Connect", { code: "ETLS", command: "CONN" }, "Connect", "Transient"],
    ["Login", { code: "EAUTH", command: "API" }, "Authentication", "Configuration"],
    ["Envelope", { code: "ESOCKET", originalCode: "ECONNRESET" }, "ConnectionLost", "Transient"],
    ["Envelope", { code: "EENVELOPE", response: "garbage" }, "Protocol", "Transient"],
    ["Envelope", { code: "ETOOLARGE" }, "Refused", "Permanent"],
    ["Body", { code: "ECONNECTION" }, "ConnectionLost", "Transient"],
    ["Body", { code: "ETIMEDOUT" }, "Timeout", "Transient"],
    ["Dot", { code: "ECONNECTION" }, "ConnectionLost", "Unknown"],
    ["Dot", { code: "ETIMEDOUT" }, "Timeout", "Unknown"],
    ["Dot", { code: "EMESSAGE", response: "garbage" }, "Protocol", "Unknown"]
  ] as const)("%s %o: %s, %s", (stage, fields, reason, verdict) => {
    expect(classify(stage, fields)).toEqual([reason, verdict])
  })
})

describe("an error", () => {
  it("carries nothing of the mail, not even in its cause", () => {
    const error = toMailerError(
      new SmtpFault({
        error: driverError(
          { code: "EMESSAGE", responseCode: 554, response: "554 spam 736251 to ada@example.org" },
          "Message failed: 554 spam 736251 to ada@example.org"
        )
      }),
      "Dot",
      confidential
    )
    expect(error.message).toBe("Refused: after the message: 554 spam [removed] to [address]")
    expect(String(error.cause)).toBe("Error: SMTP failure EMESSAGE")
  })
})

describe("a refusal", () => {
  it.each([
    [550, "Permanent"],
    [553, "Permanent"],
    [521, "Permanent"],
    [450, "Transient"],
    [452, "Transient"],
    [552, "Transient"],
    [503, "Transient"]
  ] as const)("%i: %s", (code, verdict) => {
    expect(toRefusal("a@x", driverError(reply(code)), confidential)).toEqual({
      recipient: "a@x",
      verdict,
      code,
      reason: `${code} text`
    })
  })

  it("that cannot be read counts for now", () => {
    expect(toRefusal("a@x", driverError({ code: "EENVELOPE", response: "what" }), confidential)).toEqual({
      recipient: "a@x",
      verdict: "Transient",
      reason: "what"
    })
  })
})
