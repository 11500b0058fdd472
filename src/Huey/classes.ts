/**
 * The classes that a pickle may name. A name outside this table is refused; a name inside it is never looked up anywhere
 * else: each has its own small constructor here, which answers with data.
 */
import * as EmailClasses from "./EmailClasses.ts"
import { HueyError, shown } from "./HueyError.ts"
import * as NaiveDateTime from "./NaiveDateTime.ts"
import { Instance, TimeDelta, Tuple } from "./PickleValue.ts"

/** A class of the table, as it lies on the reader's stack. */
export class PickleClass {
  readonly module: string
  readonly name: string
  /** Makes the value from the arguments Python would call the class with; nothing when they do not fit. */
  readonly construct: (args: ReadonlyArray<unknown>) => unknown

  constructor(module: string, name: string, construct: (args: ReadonlyArray<unknown>) => unknown) {
    this.module = module
    this.name = name
    this.construct = construct
  }
}

const isInteger = (value: unknown, low: number, high: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= low && value <= high

const message = new PickleClass("huey.registry", "Message", (args) => new Instance("huey.registry", "Message", args))

// A time zone would be a second argument; huey takes it off all its times.
const datetime = new PickleClass("datetime", "datetime", ([state, ...more]) =>
  state instanceof Uint8Array && more.length === 0 ? NaiveDateTime.unpack(state) : undefined
)

const timedelta = new PickleClass("datetime", "timedelta", ([days, seconds, microseconds, ...more]) =>
  isInteger(days, -999_999_999, 999_999_999) &&
  isInteger(seconds, 0, 86_399) &&
  isInteger(microseconds, 0, 999_999) &&
  more.length === 0
    ? new TimeDelta(days, seconds, microseconds)
    : undefined
)

/** MIME trees: objects without arguments, whose state comes by BUILD. */
const email = EmailClasses.names.map(
  ([module, name]) =>
    new PickleClass(module, name, (args) => (args.length === 0 ? new Instance(module, name, args) : undefined))
)

/** Only ever bases: they have no objects of their own here. */
const bases = (module: string) => ["tuple", "object"].map((name) => new PickleClass(module, name, () => undefined))

/** Protocols 0 and 1 rebuild an object from its class, its base and, for a namedtuple, its items. */
const reconstructor = (module: string) =>
  new PickleClass(module, "_reconstructor", ([of, base, state, ...more]) => {
    if (!(of instanceof PickleClass) || !(base instanceof PickleClass) || more.length > 0) return undefined
    if (of === message) return base.name === "tuple" && state instanceof Tuple ? message.construct(state) : undefined
    return email.includes(of) && base.name === "object" && state === null ? of.construct([]) : undefined
  })

const beyondBytes = /[\u0100-\uffff]/

/** Protocols 0 to 2 write bytes as text of the same code points. */
const encode = new PickleClass("_codecs", "encode", ([text, encoding, ...more]) => {
  if (typeof text !== "string" || encoding !== "latin1" || more.length > 0 || beyondBytes.test(text)) return undefined
  const bytes = new Uint8Array(text.length)
  Buffer.from(bytes.buffer).write(text, "latin1")
  return bytes
})

/** And bytes without a byte as a call of the class. */
const bytes = (module: string) =>
  new PickleClass(module, "bytes", (args) => (args.length === 0 ? new Uint8Array(0) : undefined))

/** By module, then by name. */
const table: ReadonlyMap<string, ReadonlyMap<string, PickleClass>> = (() => {
  const modules = new Map<string, Map<string, PickleClass>>()
  for (const entry of [
    message,
    datetime,
    timedelta,
    encode,
    ...email,
    // Python 2's names, which protocols 0 to 2 keep, beside Python 3's.
    ...["copyreg", "copy_reg"].map(reconstructor),
    ...["builtins", "__builtin__"].flatMap((module) => [...bases(module), bytes(module)])
  ]) {
    const names = modules.get(entry.module) ?? new Map<string, PickleClass>()
    modules.set(entry.module, names.set(entry.name, entry))
  }
  return modules
})()

/** The class of that name; every other name is refused. */
export const find = (module: string, name: string): PickleClass => {
  const entry = table.get(module)?.get(name)
  if (entry === undefined) {
    throw new HueyError({ reason: "Forbidden", detail: `the name ${shown(`${module}.${name}`)} is not on the list` })
  }
  return entry
}
