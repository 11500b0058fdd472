import { describe, expect, it } from "@effect/vitest"
import { redact } from "../../src/Mailer/wording.ts"

const confidential = {
  subject: "Your code 4711",
  body: "Code 736251, or ABC7DEF, geheimeswort. Or 493 817, 482-193, AB-12-CD-34, 5 6 7 8 9.",
  words: ["ada@example.org", "+491701234567", "pw", "s3cretpw"]
}

describe("redact", () => {
  it.each([
    ["550 5.1.1 <Ada@Example.org>: unknown", "550 5.1.1 <[address]>: unknown"],
    ["550 to:other@example.net rejected", "550 to:[address] rejected"],
    ["550 user +491701234567 unknown", "550 user [removed] unknown"],
    ["554 spam: Code 736251", "554 spam: Code [removed]"],
    ["554 spam: x736251y", "554 spam: x[removed]y"],
    ["554 spam: ABC7DEF", "554 spam: [removed]"],
    ["554 spam: 4711", "554 spam: [removed]"],
    ["554 spam: geheimeswort", "554 spam: [removed]"],
    [`554 spam: ${Buffer.from("Code 736251, or").toString("base64")}`, "554 spam: [removed]"],
    [`535 AUTH ${Buffer.from("\0usr\0s3cretpw").toString("base64")}`, "535 AUTH [removed]"],
    ["554 spam: 736 251", "554 spam: [removed]"],
    ["554 spam: 493817, 493 817. 493-817", "554 spam: [removed], [removed]"],
    ["554-5.7.0 482-193.", "554-5.7.0 [removed]."],
    ["554 spam: <b>482193</b> 4 8 2 1 9 3", "554 spam: <b>[removed]</b> [removed]"],
    ["554 spam: AB-12-CD-34!", "554 spam: [removed]!"],
    ["554 spam: 56789", "554 spam: [removed]"],
    ["250 queued as 99887766", "250 queued as 99887766"],
    ["451 4.7.1 try in 300 s", "451 4.7.1 try in 300 s"],
    ["550 a\u001b[31m\u0007\u202eb\nc", "550 a\\u001b[31m\\u0007\\u202eb c"]
  ])("%j", (reply, expected) => {
    expect(redact(reply, confidential)).toBe(expected)
  })

  it("cuts at 200 characters", () => {
    expect(redact(`550 ${"x".repeat(5000)}`, confidential)).toBe(`550 ${"x".repeat(195)}…`)
  })
})
