/**
 * Reads the value of an expression that Python need not compute: strings, numbers, lists, dicts and the like.
 */
import type { SyntaxNode } from "@lezer/common"
import * as Either from "effect/Either"
import * as PythonString from "./PythonString.ts"

/** A value of Python: None, bool, int and float, str, bytes, list or tuple or set, dict with its keys as text. */
export type Literal = null | boolean | number | bigint | string | Uint8Array | ReadonlyArray<Literal> | LiteralDict

export interface LiteralDict {
  readonly [key: string]: Literal
}

/** Why an expression has no value here: Python would have to compute it, or would refuse it at this place. */
type Refusal = "Computed" | { readonly at: number; readonly detail: string }

export type Read = Either.Either<Literal, Refusal>

/** Python's own parser gives up at 200 brackets; a configuration is far from it, and the stack is safe. */
const maxDepth = 100

/** The numbers behind the names of the module logging. */
const loggingLevels: Readonly<Record<string, number>> = {
  CRITICAL: 50,
  FATAL: 50,
  ERROR: 40,
  WARNING: 30,
  WARN: 30,
  INFO: 20,
  DEBUG: 10,
  NOTSET: 0
}

const computed = Either.left("Computed" as const)

/** The parts of a node, without comments. */
export const children = (node: SyntaxNode): ReadonlyArray<SyntaxNode> => {
  const list: Array<SyntaxNode> = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== "Comment") list.push(child)
  }
  return list
}

/** Whether a value is a dict. */
export const isDict = (value: Literal): value is LiteralDict =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const integer = /^(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|[1-9](?:_?[0-9])*|0(?:_?0)*)$/
const digits = "[0-9](?:_?[0-9])*"
const float = new RegExp(`^(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:[eE][+-]?${digits})?$`)
const imaginary = /[jJ]$/

const number = (text: string, at: number): Read => {
  if (imaginary.test(text)) return computed
  const plain = text.replaceAll("_", "")
  if (integer.test(text)) {
    const value = BigInt(plain)
    return Either.right(value <= Number.MAX_SAFE_INTEGER ? Number(value) : value)
  }
  // 0777 was an octal number in Python 2 and is an error since.
  if (float.test(text) && !/^[0-9_]+$/.test(text)) return Either.right(Number(plain))
  return Either.left({ at, detail: "not a number in Python" })
}

const string = (nodes: ReadonlyArray<SyntaxNode>, source: string): Read => {
  let kind: PythonString.PythonString["kind"] | undefined
  let text = ""
  for (const node of nodes) {
    if (node.name !== "String") return computed
    const part = PythonString.read(source.slice(node.from, node.to))
    if (Either.isLeft(part)) {
      return part.left === "Computed" ? computed : Either.left({ ...part.left, at: node.from + part.left.at })
    }
    if (kind !== undefined && kind !== part.right.kind) {
      return Either.left({ at: node.from, detail: "a string and a bytes literal cannot be joined" })
    }
    kind = part.right.kind
    text += part.right.text
  }
  return Either.right(kind === "bytes" ? new Uint8Array(Buffer.from(text, "latin1")) : text)
}

const negate = (value: Literal): Read =>
  typeof value === "number" || typeof value === "bigint" ? Either.right(-value) : computed

const key = (value: Literal): Either.Either<string, Refusal> =>
  typeof value === "string"
    ? Either.right(value)
    : typeof value === "number" || typeof value === "bigint"
      ? Either.right(String(value))
      : computed

/** Reads the elements between commas; anything else between them (a star, a comprehension) has to be computed. */
export const readElements = (nodes: ReadonlyArray<SyntaxNode>, source: string, depth = 0): Read => {
  const values: Array<Literal> = []
  for (const node of nodes) {
    if (node.name === ",") continue
    const value = read(node, source, depth + 1)
    if (Either.isLeft(value)) return value
    values.push(value.right)
  }
  return Either.right(values)
}

const readDict = (nodes: ReadonlyArray<SyntaxNode>, source: string, depth: number): Read => {
  const entries: Array<readonly [string, Literal]> = []
  const parts = nodes.filter((node) => node.name !== ",")
  for (let i = 0; i < parts.length; i += 3) {
    const [keyNode, colon, valueNode] = parts.slice(i, i + 3)
    if (keyNode === undefined || colon?.name !== ":" || valueNode === undefined) return computed
    const name = Either.flatMap(read(keyNode, source, depth + 1), key)
    if (Either.isLeft(name)) return Either.left(name.left)
    const value = read(valueNode, source, depth + 1)
    if (Either.isLeft(value)) return value
    entries.push([name.right, value.right])
  }
  return Either.right(Object.fromEntries(entries))
}

/** Reads an expression. */
export const read = (node: SyntaxNode, source: string, depth = 0): Read => {
  if (depth > maxDepth) return computed
  const text = source.slice(node.from, node.to)
  const parts = children(node)
  const inside = parts.slice(1, -1)
  switch (node.name) {
    case "None":
      return Either.right(null)
    case "Boolean":
      return Either.right(text === "True")
    case "Number":
      return number(text, node.from)
    case "String":
      return string([node], source)
    case "ContinuedString":
      return string(parts, source)
    case "ParenthesizedExpression": {
      const [only, ...rest] = inside
      return only === undefined || rest.length > 0 ? computed : read(only, source, depth + 1)
    }
    case "TupleExpression":
    case "ArrayExpression":
    case "SetExpression":
      return readElements(inside, source, depth)
    case "DictionaryExpression":
      return readDict(inside, source, depth)
    case "UnaryExpression": {
      const [sign, operand] = parts
      const operator = sign === undefined ? "" : source.slice(sign.from, sign.to)
      if (operand === undefined || (operator !== "-" && operator !== "+")) return computed
      const value = Either.flatMap(read(operand, source, depth + 1), negate)
      return operator === "-" ? value : Either.flatMap(value, negate)
    }
    case "MemberExpression": {
      const [object, dot, property] = parts.map((part) => source.slice(part.from, part.to))
      const level = object === "logging" && dot === "." ? loggingLevels[property ?? ""] : undefined
      return level === undefined ? computed : Either.right(level)
    }
    default:
      return computed
  }
}
