import { describe, expect, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Body from "../../src/Mailer/Body.ts"

describe("parseMimetype", () => {
  it.each([
    [null, "plain"],
    [undefined, "plain"],
    ["", "plain"],
    ["plain", "plain"],
    [" HTML ", "html"],
    ["Plain\n", "plain"]
  ] as const)("%j", (mimetype, expected) => {
    expect(Body.parseMimetype(mimetype)).toEqual(Option.some(expected))
  })

  it.each(["text/html", "html; charset=x", "html\r\nBcc: x", "calendar"])("refuses %j", (mimetype) => {
    expect(Body.parseMimetype(mimetype)).toEqual(Option.none())
  })
})

describe("fits", () => {
  it("counts octets, not characters", () => {
    expect(Body.fits("x".repeat(10 * 1024 * 1024))).toBe(true)
    expect(Body.fits("x".repeat(10 * 1024 * 1024 + 1))).toBe(false)
    expect(Body.fits("ä".repeat(5 * 1024 * 1024 + 1))).toBe(false)
  })
})
