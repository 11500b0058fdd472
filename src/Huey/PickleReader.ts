/**
 * Reads a pickle as data: strict, in one pass, within limits, and nothing in it is ever looked up by name or called.
 */
import { limits } from "./limits.ts"
import { instructions, STOP } from "./opcodes.ts"
import { PickleMachine } from "./PickleMachine.ts"
import { checkTree } from "./PickleValue.ts"

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
