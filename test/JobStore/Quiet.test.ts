/**
 * Which exchanges check keys and rights.
 */
import { describe, expect, it } from "@effect/vitest"
import { Quiet } from "../../src/JobStore/Quiet.ts"

describe("a whole exchange", () => {
  it("is the first one, the one a second later, and the one after a refusal", () => {
    const quiet = new Quiet()
    expect(quiet.isWhole(0)).toBe(true)
    quiet.answered(0, true)
    expect(quiet.isWhole(999)).toBe(false)
    expect(quiet.isWhole(1_000)).toBe(true)
    quiet.doubt()
    expect(quiet.isWhole(1)).toBe(true)
    expect(quiet.allows(1)).toBe(false)
  })

  it("is the one after sixteen others, however soon", () => {
    const quiet = new Quiet()
    quiet.answered(0, true)
    for (let exchanges = 0; exchanges < 16; exchanges++) {
      expect(quiet.isWhole(1)).toBe(false)
      quiet.answered(1, false)
    }
    expect(quiet.isWhole(1)).toBe(true)
    quiet.answered(1, true)
    expect(quiet.isWhole(1)).toBe(false)
  })

  it("comes back after five minutes of glances", () => {
    const quiet = new Quiet()
    expect(quiet.allows(0)).toBe(false)
    quiet.answered(0, true)
    expect(quiet.allows(299_999)).toBe(true)
    expect(quiet.allows(300_000)).toBe(false)
  })
})
