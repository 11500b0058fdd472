/**
 * Reads a pickle as data: strict, in one pass, within limits, and nothing in it is ever looked up by name or called.
 */
import * as EmailClasses from "./EmailClasses.ts"
import { HueyError } from "./HueyError.ts"
import { limits } from "./limits.ts"
import { NaiveDateTime } from "./NaiveDateTime.ts"
import { instructions, STOP } from "./opcodes.ts"
import { PickleMachine } from "./PickleMachine.ts"
import { Census, Instance, isDict, TimeDelta } from "./PickleValue.ts"

/** Refuses what unfolds beyond the limits, and what is no data. Every later walk is bounded by this one. */
const checkTree = (root: unknown): void => {
  const census = new Census()
  const visitAll = (items: ReadonlyArray<unknown>, depth: number): void => {
    for (let index = 0; index < items.length; index++) visit(items[index], depth)
  }
  const visit = (value: unknown, depth: number): void => {
    census.value(depth)
    if (typeof value === "string") {
      census.length(value.length)
    } else if (typeof value !== "object" || value === null) {
      return
    } else if (value instanceof Uint8Array) {
      census.length(value.length)
    } else if (Array.isArray(value)) {
      visitAll(value, depth + 1)
    } else if (value instanceof Instance) {
      visitAll(value.args, depth + 1)
      if (value.state !== undefined) visit(value.state, depth + 1)
      // Not before: a pickle may change a state as long as it runs.
      EmailClasses.check(value)
    } else if (isDict(value)) {
      for (const key of Object.keys(value)) {
        census.value(depth)
        census.length(key.length)
        visit(value[key], depth + 1)
      }
    } else if (!(value instanceof NaiveDateTime) && !(value instanceof TimeDelta)) {
      throw new HueyError({ reason: "Forbidden", detail: "a class stands where a value is expected" })
    }
  }
  visit(root, 0)
}

/**
 * The value of a pickle of protocols 0 to 5; throws a HueyError for any other bytes.
 *
 * What is shared in Python stays shared. The value is no larger than `limits`, however often it is walked through what
 * it shares. A float without a fraction is a number like an integer.
 */
export const read = (bytes: Buffer): unknown => {
  const machine: PickleMachine = new PickleMachine(bytes)
  for (let count = 0; ; count++) {
    if (count > limits.opcodes) machine.fail("Limit", `more than ${limits.opcodes} instructions`)
    const code = machine.uint8()
    if (code === STOP) break
    const instruction = instructions[code]
    if (instruction === undefined) machine.fail("Malformed", `no instruction has the code ${code}`)
    instruction(machine)
  }
  const value = machine.result()
  checkTree(value)
  return value
}
