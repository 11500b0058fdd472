import { describe, expect, it } from "@effect/vitest"
import * as Gathering from "../../src/QueueLogger/Gathering.ts"

const make = () => {
  const writes: Array<string> = []
  const gathering = Gathering.make({
    write: (lines) => writes.push(lines),
    close: () => writes.push("(closed)")
  })
  return { gathering, writes }
}

/** The event loop has come round. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("lines that are logged in one turn of the event loop", () => {
  it("are written together, at its end", async () => {
    const { gathering, writes } = make()
    gathering.write("one", false)
    gathering.write("two", false)
    expect(writes).toEqual([])
    await Promise.resolve()
    gathering.write("three", false)
    expect(writes).toEqual([])
    await turn()
    expect(writes).toEqual(["one\ntwo\nthree"])
    gathering.write("four", false)
    await turn()
    expect(writes).toEqual(["one\ntwo\nthree", "four"])
  })

  it("are written at once, in their order, with one that is urgent", () => {
    const { gathering, writes } = make()
    gathering.write("one", false)
    gathering.write("two", true)
    gathering.write("three", true)
    expect(writes).toEqual(["one\ntwo", "three"])
  })

  it("are written before the end", () => {
    const { gathering, writes } = make()
    gathering.write("one", false)
    gathering.close()
    expect(writes).toEqual(["one", "(closed)"])
  })

  it("are no more than a file takes in one piece", async () => {
    const { gathering, writes } = make()
    const line = "x".repeat(16 * 1024)
    for (let count = 0; count < 5; count++) gathering.write(line, false)
    await turn()
    expect(writes.join("\n").split("\n")).toHaveLength(5)
    expect(Math.max(...writes.map((lines) => lines.length))).toBeLessThanOrEqual(33 * 1024)
  })
})
