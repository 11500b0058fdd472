import { describe, expect, it } from "@effect/vitest"
import * as Bounded from "../src/Bounded.ts"

describe("a map that is full", () => {
  it("forgets all for a key that it does not have, and nothing for one that it has", () => {
    const map = new Map([
      ["one", 1],
      ["two", 2]
    ])
    Bounded.set(map, "one", 3, 2)
    expect([...map]).toEqual([
      ["one", 3],
      ["two", 2]
    ])
    Bounded.set(map, "three", 4, 2)
    expect([...map]).toEqual([["three", 4]])
  })
})
