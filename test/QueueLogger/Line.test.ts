import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Line from "../../src/QueueLogger/Line.ts"

describe("escaped", () => {
  it.each([
    ["plain text, as it is: \\n", "plain text, as it is: \\n"],
    ["Grüße, 你好 🙂", "Grüße, 你好 🙂"],
    ["a\nb\r\nc\td", "a\\nb\\r\\nc\\td"],
    ["\u0000\u0007\u001b[31m\u001f", "\\u0000\\u0007\\u001b[31m\\u001f"],
    ["\u007f\u0080\u0085\u009f", "\\u007f\\u0080\\u0085\\u009f"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["\u061c\u200e\u200f", "\\u061c\\u200e\\u200f"],
    ["\u202a\u202b\u202c\u202d\u202e", "\\u202a\\u202b\\u202c\\u202d\\u202e"],
    ["\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"],
    ["\ud83d alone, \ude42 too", "\\ud83d alone, \\ude42 too"],
    ["\u200d\u2027\u202f\u2065\u00a0", "\u200d\u2027\u202f\u2065\u00a0"]
  ])("%j", (text, expected) => {
    expect(Line.escaped(text)).toBe(expected)
  })
})

describe("make", () => {
  it("leaves a line of 16 KiB whole and cuts a longer one", () => {
    expect(Line.make("x".repeat(16_384))).toBe("x".repeat(16_384))
    expect(Line.make("x".repeat(16_385))).toBe(`${"x".repeat(16_373)} [line cut]`)
    expect(Line.make("x".repeat(1_000_000))).toBe(`${"x".repeat(16_373)} [line cut]`)
  })

  it("counts bytes and cuts between characters", () => {
    // 5457 characters of three bytes are 16371 bytes; one more would pass 16373.
    expect(Line.make("你".repeat(6_000))).toBe(`${"你".repeat(5_457)} [line cut]`)
    expect(Line.make("🙂".repeat(4_096))).toBe("🙂".repeat(4_096))
    expect(Line.make(`x${"🙂".repeat(10_000)}`)).toBe(`x${"🙂".repeat(4_093)} [line cut]`)
  })

  it("cuts after escaping", () => {
    const line = Line.make("\u001b".repeat(10_000))
    expect(Buffer.byteLength(line)).toBe(16_384)
    expect(line.slice(0, 12)).toBe("\\u001b\\u001b")
  })
})
