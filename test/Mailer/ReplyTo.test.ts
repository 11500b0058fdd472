import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Mailbox from "../../src/Mailer/Mailbox.ts"
import * as ReplyTo from "../../src/Mailer/ReplyTo.ts"

const sender = Either.getRight(Mailbox.parse("mfa@example.org"))
const read = (replyTo: string | ReadonlyArray<string> | undefined, from: Option.Option<Mailbox.Mailbox> = sender) =>
  Either.match(ReplyTo.parse(replyTo, from), {
    onLeft: (fault) => fault,
    onRight: (mailboxes) => mailboxes.map(({ address }) => address)
  })

describe("parse", () => {
  it("takes a string or a list", () => {
    expect(read("r1@example.org,r2@example.org")).toEqual(["r1@example.org", "r2@example.org"])
    expect(read(["r1@example.org", "r2@example.org; r3@example.org", ""])).toEqual([
      "r1@example.org",
      "r2@example.org",
      "r3@example.org"
    ])
  })

  it("is the sender where there is none", () => {
    expect(read(undefined)).toEqual(["mfa@example.org"])
    expect(read("")).toEqual(["mfa@example.org"])
    expect(read([])).toEqual(["mfa@example.org"])
    expect(read(undefined, Option.none())).toEqual([])
  })

  it("is not used at all where a part of it cannot be read", () => {
    expect(read("garbage foo")).toBe("local part")
    expect(read(["r@example.org", "garbage foo"])).toBe("local part")
    expect(read("r@example.org\r\nBcc: evil@example.org")).toBe("control character")
  })

  it("is not even looked at where it is longer than 100 of the longest addresses", () => {
    expect(read(`${"x".repeat(90_000)} <a@x>`)).toBe("too long")
  })
})
