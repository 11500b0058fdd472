/**
 * The classes of Python's `email` package that a pickled MIME tree names, and what their objects hold in Python 3.8 to
 * 3.13: no other attribute is read, and none that is of another type.
 */
import { HueyError, shown } from "./HueyError.ts"
import { Instance, Tuple } from "./PickleValue.ts"

type Check = (value: unknown) => boolean

const isNull: Check = (value) => value === null
const isString: Check = (value) => typeof value === "string"
const isBoolean: Check = (value) => typeof value === "boolean"
const isInteger: Check = (value) => Number.isSafeInteger(value)
const isText: Check = (value) => value === null || typeof value === "string"
const isOf =
  (...names: ReadonlyArray<string>): Check =>
  (value) =>
    value instanceof Instance && names.includes(value.name)
const isListOf =
  (...checks: ReadonlyArray<Check>): Check =>
  (value) =>
    Array.isArray(value) && !(value instanceof Tuple) && value.every((item) => checks.some((check) => check(item)))
const isPair =
  (first: Check, ...seconds: ReadonlyArray<Check>): Check =>
  (value) =>
    value instanceof Tuple && value.length === 2 && first(value[0]) && seconds.some((check) => check(value[1]))

/** The parts of a tree, by module: all have the attributes of `email.message.Message`. */
const parts = [
  ["email.message", "Message"],
  ["email.mime.base", "MIMEBase"],
  ["email.mime.nonmultipart", "MIMENonMultipart"],
  ["email.mime.multipart", "MIMEMultipart"],
  ["email.mime.text", "MIMEText"],
  ["email.mime.image", "MIMEImage"],
  ["email.mime.audio", "MIMEAudio"],
  ["email.mime.application", "MIMEApplication"],
  ["email.mime.message", "MIMEMessage"]
] as const

/** In the module of a part and not elsewhere: huey's own class is a Message too. */
const isPart: Check = (value) => value instanceof Instance && isMimePart(value)

interface Shape {
  readonly required: ReadonlyMap<string, Check>
  readonly optional: ReadonlyMap<string, Check>
}

const shape = (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Shape => ({
  required: new Map(Object.entries(required)),
  optional: new Map(Object.entries(optional))
})

const part = shape({
  policy: isOf("Compat32"),
  _headers: isListOf(isPair(isString, isString, isOf("Header"))),
  _unixfrom: isText,
  _payload: (value) => isText(value) || isPart(value) || isListOf(isPart)(value),
  _charset: (value) => isNull(value) || isOf("Charset")(value),
  preamble: isText,
  epilogue: isText,
  // What a parser found amiss; a tree that was built has none.
  defects: isListOf(),
  _default_type: isString
})

const charset = shape({
  input_charset: isString,
  header_encoding: (value) => isNull(value) || isInteger(value),
  body_encoding: (value) => isNull(value) || isInteger(value),
  output_charset: isText,
  input_codec: isText,
  output_codec: isText
})

const header = shape({
  _charset: isOf("Charset"),
  _continuation_ws: isString,
  _chunks: isListOf(isPair(isString, isOf("Charset"))),
  _maxlinelen: isInteger,
  _headerlen: isInteger
})

const policy = shape(
  {},
  {
    linesep: isString,
    cte_type: isString,
    max_line_length: (value) => isNull(value) || isInteger(value),
    raise_on_defect: isBoolean,
    mangle_from_: isBoolean,
    verify_generated_headers: isBoolean,
    message_factory: isNull
  }
)

const shapes: ReadonlyMap<string, Shape> = new Map([
  ...parts.map(([module, name]) => [`${module} ${name}`, part] as const),
  ["email._policybase Compat32", policy],
  ["email.charset Charset", charset],
  ["email.header Header", header]
])

const modules: ReadonlySet<string> = new Set([...shapes.keys()].map((key) => key.split(" ", 1)[0] ?? ""))

/** Of a job's message, which is no part of a tree, no name is put together. */
const shapeOf = ({ module, name }: Instance) => (modules.has(module) ? shapes.get(`${module} ${name}`) : undefined)

/** Module and name of each class. */
export const names: ReadonlyArray<readonly [module: string, name: string]> = [...shapes.keys()].map((key) => {
  const [module = "", name = ""] = key.split(" ")
  return [module, name]
})

/** Whether an object is a part of a MIME tree, or the whole. */
export const isMimePart = (instance: Instance): boolean => shapeOf(instance) === part

/** Refuses an object whose state is not as Python's own classes write it. */
export const check = (instance: Instance): void => {
  const { module, name, state = {} } = instance
  const expected = shapeOf(instance)
  const refuse = (what: string): never => {
    throw new HueyError({ reason: "Forbidden", detail: `${module}.${name} with ${what}` })
  }
  if (expected === undefined) {
    if (instance.state !== undefined) refuse("a state")
    return
  }
  for (const key of Object.keys(state)) {
    const check = expected.required.get(key) ?? expected.optional.get(key)
    if (check === undefined) refuse(`an attribute ${shown(key)} that is not read`)
    else if (!check(state[key])) refuse(`another kind of ${shown(key)}`)
  }
  for (const key of expected.required.keys()) if (!(key in state)) refuse(`no ${key}`)
}
