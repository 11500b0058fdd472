import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Recipients from "../../src/Mailer/Recipients.ts"

describe("flatten", () => {
  it("takes a string, None and lists in lists, in order", () => {
    expect(Recipients.flatten("a@x")).toEqual(Option.some(["a@x"]))
    expect(Recipients.flatten(null)).toEqual(Option.some([]))
    expect(Recipients.flatten(undefined)).toEqual(Option.some([]))
    expect(Recipients.flatten([["a@x", ["b@x"]], null, "c@x", []])).toEqual(Option.some(["a@x", "b@x", "c@x"]))
  })

  it("takes nothing else", () => {
    expect(Recipients.flatten(7)).toEqual(Option.none())
    expect(Recipients.flatten(["a@x", { to: "b@x" }])).toEqual(Option.none())
  })
})

describe("parse", () => {
  it("gives each address once and remembers how it was written", () => {
    const recipients = Either.getOrThrow(Recipients.parse(["A <a@x>, b@x", "a@x", " ", "b b@x"]))
    expect(recipients.mailboxes.map(({ address }) => address)).toEqual(["a@x", "b@x"])
    expect([...recipients.sources]).toEqual([
      ["a@x", ["A <a@x>", "a@x"]],
      ["b@x", ["b@x"]]
    ])
    expect(recipients.refused).toEqual([
      { recipient: "b b@x", verdict: "Permanent", reason: "not an acceptable address: local part" }
    ])
  })

  it("takes 100 in all, not 101", () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `u${index}@x`)
    expect(Either.map(Recipients.parse(many(100).join(",")), ({ mailboxes }) => mailboxes.length)).toEqual(
      Either.right(100)
    )
    expect(Recipients.parse(many(101).join(","))).toEqual(Either.left("TooMany"))
    expect(Recipients.parse(many(101))).toEqual(Either.left("TooMany"))
    expect(Recipients.parse([...many(100), "team: x;"])).toEqual(Either.left("TooMany"))
  })

  it("does not even look at more than 100 of the longest", () => {
    expect(Recipients.parse(`${"x".repeat(90_000)} <a@x>`)).toEqual(Either.left("TooMany"))
    expect(Recipients.parse(["a@x", `${"x".repeat(90_000)} <a@x>`])).toEqual(Either.left("TooMany"))
  })
})
