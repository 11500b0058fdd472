import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as FiberId from "effect/FiberId"
import { maskMailbox, thrown } from "../../src/QueueLogger/redact.ts"

describe("maskMailbox", () => {
  it.each([
    ["ada@example.org", "a***@example.org"],
    ["a@example.org", "a***@example.org"],
    ["Ada Lovelace <ada@example.org>", "a***@example.org"],
    ['"654321" <ada@example.org>', "a***@example.org"],
    ["ada@example.org, bob@example.net", "a***@example.net"],
    ["ada@example.org 654321", "a***@example.org"],
    ["ölaf@example.org", "ö***@example.org"],
    ["🙂x@example.org", "🙂***@example.org"],
    ["ada@[192.0.2.1]", "a***@[192.0.2.1]"],
    ["@example.org", "***@example.org"],
    ["ada@", "a***@"],
    ["654321", "***"],
    ["", "***"]
  ])("%s", (mailbox, masked) => {
    expect(maskMailbox(mailbox)).toBe(masked)
  })
})

describe("thrown", () => {
  it("names what was thrown and where, and repeats none of its words", () => {
    class Secret extends Error {
      override readonly name = "SecretError"
    }
    const text = thrown(Cause.die(new Secret("the code is 493817\n    and more of 493817")))
    expect(text).toMatch(/^SecretError at .*redact\.test\.ts/)
    expect(text).not.toContain("493817")
    expect(thrown(Cause.fail("493817"))).toBe("no error")
    expect(thrown(Cause.interrupt(FiberId.none))).toBe("interrupted")
  })
})
