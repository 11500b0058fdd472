import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Sender from "../../src/Mailer/Sender.ts"

const read = (...senders: ReadonlyArray<string | undefined>) =>
  Either.match(Sender.parse(...senders), {
    onLeft: (fault) => fault,
    onRight: Option.match({ onNone: () => "nobody", onSome: ({ address, phrase }) => [phrase, address] })
  })

describe("parse", () => {
  it.each([
    ["eduMFA <mfa@example.org>", "eduMFA", "mfa@example.org"],
    ["mfa@example.org\n", "", "mfa@example.org"],
    ["MFA, Campus <mfa@example.org>", "MFA, Campus", "mfa@example.org"],
    ['"MFA, Campus" <mfa@example.org>', "MFA, Campus", "mfa@example.org"]
  ])("%j", (sender, phrase, address) => {
    expect(read(sender)).toEqual([phrase, address])
  })

  it("prefers the job's sender to the server's, and knows neither", () => {
    expect(read("a@x", "b@x")).toEqual(["", "a@x"])
    expect(read(" ", "b@x")).toEqual(["", "b@x"])
    expect(read(undefined, "b@x")).toEqual(["", "b@x"])
    expect(read("", undefined)).toBe("nobody")
    // A sender that is bad is not replaced: the mail would come from somebody else.
    expect(read("a b@x", "b@x")).toBe("local part")
  })

  it.each([
    ["mfa@example.org\r\nBcc: evil@example.org", "control character"],
    ["MFA\n <mfa@example.org>", "control character"],
    ["a@x, b@x", "no single mailbox"],
    ["a@x, B <b@x>, <c@x>", "no single mailbox"],
    ["team: a@x, B <b@x>", "group syntax"]
  ])("refuses %j: %s", (sender, fault) => {
    expect(read(sender)).toBe(fault)
  })

  it("does not even look at a sender of more than 1800 characters", () => {
    expect(read(`${"x".repeat(1_800)} <a@x>`)).toBe("too long")
  })
})
