import { describe, expect, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Subject from "../../src/Mailer/Subject.ts"

describe("parse", () => {
  it.each([
    ["", ""],
    ["Your code", "Your code"],
    ["Your code\n", "Your code"],
    ["Your code\r\n\r\n", "Your code"],
    ["Your\n code", "Your code"],
    ["Your \r\n\t \r\n code", "Your code"],
    ["Your\vcode\u2028is", "Your code is"],
    ["Your\tcode", "Your code"],
    ["Yo\u0000ur\u0007 co\u009bde\u007f", "Your code"],
    ["Code: 1", "Code: 1"],
    ["Your\n code: 1", "Your code: 1"],
    ["Grüße ✓ العربية", "Grüße ✓ العربية"],
    ["a\ud800b", "a\ufffdb"]
  ])("%j", (subject, expected) => {
    expect(Subject.parse(subject)).toEqual(Option.some(expected))
  })

  it.each([
    "Your code\nBcc: evil@example.org",
    "Your code\r\nBcc:evil@example.org",
    "Your code\rBcc: evil@example.org",
    "\nX-Header:",
    "Your code\u0085Bcc: x",
    "Your code\u2029Bcc: x"
  ])("refuses %j", (subject) => {
    expect(Subject.parse(subject)).toEqual(Option.none())
  })

  it("takes time that grows with the length only", () => {
    const began = performance.now()
    for (const part of [" ", "\n", "a\n", " \n"]) Subject.parse(`x${part.repeat(250_000)}x`)
    expect(performance.now() - began).toBeLessThan(3000)
  })
})
