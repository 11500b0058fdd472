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
    expect(Body.fits("x".repeat(10), 10)).toBe(true)
    expect(Body.fits("x".repeat(11), 10)).toBe(false)
    expect(Body.fits("ä".repeat(5), 10)).toBe(true)
    expect(Body.fits("ä".repeat(6), 10)).toBe(false)
    expect(Body.fits({ mime: new Uint8Array(10) }, 10)).toBe(true)
    expect(Body.fits({ mime: new Uint8Array(11) }, 10)).toBe(false)
  })
})
