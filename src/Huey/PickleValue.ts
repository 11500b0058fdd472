/**
 * Python's values where JavaScript has none of its own. None, bool, int, float, str, bytes, list and dict are null, boolean,
 * number (bigint beyond the safe integers), string, Uint8Array, Array and objects without a prototype.
 */
import { HueyError, shown } from "./HueyError.ts"
import { limits } from "./limits.ts"

/** A tuple: an array that Python gets back as a tuple. */
export class Tuple extends Array<unknown> {
  /** `map` and its like answer with plain arrays. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  static make(items: ReadonlyArray<unknown>): Tuple {
    const tuple = new Tuple(items.length)
    for (let at = 0; at < items.length; at++) tuple[at] = items[at]
    return tuple
  }
}

/** Python's `timedelta`: the seconds and microseconds count forward from the days, which may be negative. */
export class TimeDelta {
  readonly days: number
  readonly seconds: number
  readonly microseconds: number

  constructor(days: number, seconds: number, microseconds: number) {
    this.days = days
    this.seconds = seconds
    this.microseconds = microseconds
  }
}

/** An object of one of the classes that are read: what Python would make it from, and nothing made. */
export class Instance {
  readonly module: string
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  /** What Python would assign to the object, by attribute; set once, by the instruction BUILD. */
  state: Readonly<Record<string, unknown>> | undefined

  constructor(module: string, name: string, args: ReadonlyArray<unknown>) {
    this.module = module
    this.name = name
    this.args = args
  }
}

/** A dict that was read. */
export const isDict = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null

/** Keys that change what an object is, once a careless copy assigns them. */
const meddling: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"])

/** Refuses a key that JavaScript gives a meaning of its own, or that is too long to be hashed well. */
export const checkKey = (key: string): void => {
  if (key.length > limits.key) throw new HueyError({ reason: "Limit", detail: "a key of a dict is too long" })
  if (meddling.has(key)) throw new HueyError({ reason: "Forbidden", detail: `a dict has the key ${shown(key)}` })
}

/** Counts values, text and depth while a tree is walked, so that no shared value unfolds without end. */
export class Census {
  private values = 0
  private text = 0

  value(depth: number): void {
    this.values += 1
    if (this.values > limits.values) {
      throw new HueyError({ reason: "Limit", detail: `more than ${limits.values} values` })
    }
    if (depth > limits.depth) {
      throw new HueyError({ reason: "Limit", detail: `nested more than ${limits.depth} deep` })
    }
  }

  /** Text that is shared counts wherever it stands: whoever works through the arguments meets it each time. */
  length(units: number): void {
    this.text += units
    if (this.text > limits.bytes) {
      throw new HueyError({ reason: "Limit", detail: `shared text unfolds to more than ${limits.bytes} characters` })
    }
  }
}
