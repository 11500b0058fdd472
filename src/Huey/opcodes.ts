/**
 * The instructions of a pickle, protocols 0 to 5: those that make data, and by name those that are refused.
 */
import * as Classes from "./classes.ts"
import type { PickleMachine } from "./PickleMachine.ts"
import { checkKey, Instance, isDict, Tuple } from "./PickleValue.ts"
import * as Text from "./PythonText.ts"

/** Performs one instruction. */
export type Instruction = (machine: PickleMachine) => void

/** The instruction that ends a pickle. */
export const STOP = 0x2e

/** The newest protocol of Python 3. */
const newestProtocol = 5

const isList = (value: unknown): value is Array<unknown> => Array.isArray(value) && !(value instanceof Tuple)

const proto: Instruction = (machine: PickleMachine) => {
  const first = machine.position === 1
  if (machine.uint8() > newestProtocol) machine.fail("Malformed", "a protocol later than 5")
  if (!first) machine.fail("Malformed", "PROTO after the first byte")
}

const int: Instruction = (machine: PickleMachine) => {
  const digits = machine.digits()
  if (digits === "00" || digits === "01") machine.push(digits === "01")
  else pushDecimal(machine, digits)
}

const pushDecimal = (machine: PickleMachine, digits: string) => {
  if (!/^-?\d+$/.test(digits)) machine.fail("Malformed", "an integer that is none")
  machine.push(Text.narrow(BigInt(digits)))
}

const long: Instruction = (machine: PickleMachine) => {
  const digits = machine.digits()
  pushDecimal(machine, digits.endsWith("L") ? digits.slice(0, -1) : digits)
}

const namedFloats: ReadonlyMap<string, number> = new Map([
  ["inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
  ["nan", Number.NaN]
])

const float: Instruction = (machine: PickleMachine) => {
  const digits = machine.digits()
  const named = namedFloats.get(digits)
  if (named === undefined && !/^-?\d+(?:\.\d*)?(?:e[+-]?\d+)?$/.test(digits)) {
    machine.fail("Malformed", "a float that is none")
  }
  machine.push(named ?? Number(digits))
}

const unicode: Instruction = (machine: PickleMachine) => {
  machine.push(Text.fromRawUnicodeEscape(machine.line()) ?? machine.fail("Malformed", "a text with a broken escape"))
}

const index = (machine: PickleMachine): number => {
  const digits = machine.digits()
  return /^\d+$/.test(digits) ? Number(digits) : machine.fail("Malformed", "a memo entry without a number")
}

const tuple =
  (length: 1 | 2 | 3): Instruction =>
  (machine) => {
    const made = new Tuple(length)
    for (let at = length - 1; at >= 0; at--) made[at] = machine.pop()
    machine.push(made)
  }

const emptyDict = (): Record<string, unknown> => Object.create(null)

const setItem = (machine: PickleMachine, dict: Record<string, unknown>, key: unknown, value: unknown) => {
  if (typeof key !== "string") machine.fail("Forbidden", "a dict has a key that is no string")
  checkKey(key)
  dict[key] = value
}

const setItems = (machine: PickleMachine, dict: unknown, items: ReadonlyArray<unknown>) => {
  if (!isDict(dict)) machine.fail("Malformed", "items for something that is no dict")
  if (items.length % 2 !== 0) machine.fail("Malformed", "a key without a value")
  for (let at = 0; at < items.length; at += 2) setItem(machine, dict, items[at], items[at + 1])
}

const dict: Instruction = (machine: PickleMachine) => {
  const items = machine.popToMark()
  const made = emptyDict()
  setItems(machine, made, items)
  machine.push(made)
}

const extend = (machine: PickleMachine, items: ReadonlyArray<unknown>) => {
  const list = machine.peek()
  if (!isList(list)) machine.fail("Malformed", "items for something that is no list")
  for (const item of items) list.push(item)
}

const setItemsOfTop = (machine: PickleMachine, items: ReadonlyArray<unknown>) =>
  setItems(machine, machine.peek(), items)

const setItemOfTop: Instruction = (machine: PickleMachine) => {
  const value = machine.pop()
  const key = machine.pop()
  setItemsOfTop(machine, [key, value])
}

const stackGlobal: Instruction = (machine: PickleMachine) => {
  const name = machine.pop()
  const module = machine.pop()
  if (typeof name !== "string" || typeof module !== "string") machine.fail("Malformed", "a name that is no text")
  machine.push(Classes.find(module, name))
}

/** REDUCE and NEWOBJ: whatever is called is a class of the table, and what it answers is data. */
const construct: Instruction = (machine: PickleMachine) => {
  const args = machine.pop()
  const of = machine.pop()
  if (!(of instanceof Classes.PickleClass)) machine.fail("Forbidden", "a call of something that is no class")
  if (!(args instanceof Tuple)) machine.fail("Malformed", "a call without a tuple of arguments")
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]
    if (typeof arg === "string" || arg instanceof Uint8Array) machine.work(arg.length)
  }
  const made = of.construct(args)
  if (made === undefined) machine.fail("Forbidden", `${of.module}.${of.name} of arguments that are not read`)
  machine.push(made)
}

/** What is assigned is checked when the pickle has been read: until then it may still change. */
const build: Instruction = (machine: PickleMachine) => {
  const state = machine.pop()
  const object = machine.peek()
  if (!(object instanceof Instance) || object.state !== undefined) {
    machine.fail("Forbidden", "a state for something that has none, or has one")
  }
  if (!isDict(state)) machine.fail("Forbidden", "a state that is no dict")
  object.state = state
}

const accepted: ReadonlyArray<readonly [code: number, name: string, instruction: Instruction]> = [
  [0x80, "PROTO", proto],
  [0x95, "FRAME", (machine) => machine.frame()],

  [0x4e, "NONE", (machine) => machine.push(null)],
  [0x88, "NEWTRUE", (machine) => machine.push(true)],
  [0x89, "NEWFALSE", (machine) => machine.push(false)],
  [0x49, "INT", int],
  [0x4a, "BININT", (machine) => machine.push(machine.int32())],
  [0x4b, "BININT1", (machine) => machine.push(machine.uint8())],
  [0x4d, "BININT2", (machine) => machine.push(machine.uint16())],
  [0x4c, "LONG", long],
  [0x8a, "LONG1", (machine) => machine.push(machine.integer(machine.uint8()))],
  [0x8b, "LONG4", (machine) => machine.push(machine.integer(machine.uint32()))],
  [0x46, "FLOAT", float],
  [0x47, "BINFLOAT", (machine) => machine.push(machine.float64())],

  [0x56, "UNICODE", unicode],
  [0x8c, "SHORT_BINUNICODE", (machine) => machine.push(machine.text(machine.uint8()))],
  [0x58, "BINUNICODE", (machine) => machine.push(machine.text(machine.uint32()))],
  [0x8d, "BINUNICODE8", (machine) => machine.push(machine.text(machine.uint64()))],
  [0x43, "SHORT_BINBYTES", (machine) => machine.push(machine.copy(machine.uint8()))],
  [0x42, "BINBYTES", (machine) => machine.push(machine.copy(machine.uint32()))],
  [0x8e, "BINBYTES8", (machine) => machine.push(machine.copy(machine.uint64()))],

  [0x5d, "EMPTY_LIST", (machine) => machine.push([])],
  [0x6c, "LIST", (machine) => machine.push(machine.popToMark())],
  [0x61, "APPEND", (machine) => extend(machine, [machine.pop()])],
  [0x65, "APPENDS", (machine) => extend(machine, machine.popToMark())],
  [0x29, "EMPTY_TUPLE", (machine) => machine.push(new Tuple())],
  [0x74, "TUPLE", (machine) => machine.push(Tuple.make(machine.popToMark()))],
  [0x85, "TUPLE1", tuple(1)],
  [0x86, "TUPLE2", tuple(2)],
  [0x87, "TUPLE3", tuple(3)],
  [0x7d, "EMPTY_DICT", (machine) => machine.push(emptyDict())],
  [0x64, "DICT", dict],
  [0x73, "SETITEM", setItemOfTop],
  [0x75, "SETITEMS", (machine) => setItemsOfTop(machine, machine.popToMark())],

  [0x28, "MARK", (machine) => machine.mark()],
  [0x30, "POP", (machine) => machine.discard()],
  [0x31, "POP_MARK", (machine) => void machine.popToMark()],
  [0x32, "DUP", (machine) => machine.push(machine.peek())],
  [0x70, "PUT", (machine) => machine.put(index(machine))],
  [0x71, "BINPUT", (machine) => machine.put(machine.uint8())],
  [0x72, "LONG_BINPUT", (machine) => machine.put(machine.uint32())],
  [0x94, "MEMOIZE", (machine) => machine.memoize()],
  [0x67, "GET", (machine) => machine.get(index(machine))],
  [0x68, "BINGET", (machine) => machine.get(machine.uint8())],
  [0x6a, "LONG_BINGET", (machine) => machine.get(machine.uint32())],

  [0x63, "GLOBAL", (machine) => machine.push(Classes.find(machine.line(), machine.line()))],
  [0x93, "STACK_GLOBAL", stackGlobal],
  [0x52, "REDUCE", construct],
  [0x81, "NEWOBJ", construct],
  [0x62, "BUILD", build]
]

/** Known to Python and refused: they load code or bytes from elsewhere, or no writer of huey's messages uses them. */
const refused: ReadonlyArray<readonly [code: number, name: string]> = [
  [0x50, "PERSID"],
  [0x51, "BINPERSID"],
  [0x53, "STRING"],
  [0x54, "BINSTRING"],
  [0x55, "SHORT_BINSTRING"],
  [0x69, "INST"],
  [0x6f, "OBJ"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x8f, "EMPTY_SET"],
  [0x90, "ADDITEMS"],
  [0x91, "FROZENSET"],
  [0x92, "NEWOBJ_EX"],
  [0x96, "BYTEARRAY8"],
  [0x97, "NEXT_BUFFER"],
  [0x98, "READONLY_BUFFER"]
]

const refuse =
  (name: string): Instruction =>
  (machine) =>
    machine.fail("Forbidden", `the instruction ${name} is refused`)

/** By opcode; nothing where Python knows none. */
export const instructions: ReadonlyArray<Instruction | undefined> = (() => {
  const table = new Array<Instruction | undefined>(256).fill(undefined)
  for (const [code, , instruction] of accepted) table[code] = instruction
  for (const [code, name] of refused) table[code] = refuse(name)
  return table
})()
