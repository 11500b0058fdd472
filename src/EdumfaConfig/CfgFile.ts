/**
 * Reads edumfa.cfg, which is Python, without running it: the names assigned at its top level and their literal values.
 */
import { isUtf8 as isWellFormed } from "node:buffer"
import type { SyntaxNode, Tree } from "@lezer/common"
import { parser } from "@lezer/python"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import { bound, declaredGlobal, mutated, targetNames } from "./CfgFile/bindings.ts"
import { excerpt } from "./CfgFile/excerpt.ts"
import { children, type Literal, type Read, read, readElements } from "./CfgFile/Literal.ts"
import { isClosed } from "./CfgFile/PythonString.ts"

/** What a name holds at the end of the file. */
export type Assignment =
  | { readonly _tag: "Literal"; readonly value: Literal; readonly line: number }
  /** `source` says how it is computed: the expression, shortened, or in words. */
  | { readonly _tag: "Computed"; readonly source: string; readonly line: number }

export interface CfgFile {
  readonly assignments: ReadonlyMap<string, Assignment>
  /** The last `from … import *`, which may assign any name. */
  readonly starImport: { readonly source: string; readonly line: number } | undefined
}

/** A file that Python would refuse, or that is not text in UTF-8. */
export class CfgSyntaxError extends Data.TaggedError("CfgSyntaxError")<{
  /** From 1. */
  readonly line: number
  /** One line, without any text of the file. */
  readonly detail: string
}> {
  override get message() {
    return `line ${this.line}: ${this.detail}`
  }
}

/** Statements whose parts run under a condition, more than once, or not at all. */
const conditional: Readonly<Record<string, string>> = {
  IfStatement: "an if statement",
  ForStatement: "a for loop",
  WhileStatement: "a while loop",
  TryStatement: "a try statement",
  WithStatement: "a with statement",
  MatchStatement: "a match statement"
}

/** What nothing can be assigned to. */
const constants = new Set(["None", "Boolean", "Number", "String", "ContinuedString", "FormatString", "Ellipsis"])

/** The declaration of an encoding in one of the first two lines, as PEP 263 defines it. */
const codingCookie = /^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)/

const utf8Names = /^(?:utf[-_]?8(?:[-_]sig)?|us-ascii|ascii)$/i

/** Numbers the lines of a source once: a search for each assignment would be quadratic. */
const lineNumbers = (source: string) => {
  const starts = [0]
  for (let at = source.indexOf("\n"); at !== -1; at = source.indexOf("\n", at + 1)) starts.push(at + 1)
  return (at: number): number => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= at) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** The line that declares another encoding than UTF-8, and that encoding; the second line counts after a comment only. */
const otherEncoding = (lines: ReadonlyArray<string>) => {
  const [first = "", second = ""] = lines
  const candidates = /^[ \t\f]*(?:#|$)/.test(first) ? [first, second] : [first]
  const names = candidates.map((line) => codingCookie.exec(line)?.[1])
  const index = names.findIndex((name) => name !== undefined)
  const name = names[index]
  return name === undefined || utf8Names.test(name) ? undefined : { line: index + 1, name }
}

/** The text of a file: UTF-8, with or without a byte order mark, every line ended by a line feed as Python sees it. */
export const decode = (bytes: Uint8Array): Either.Either<string, CfgSyntaxError> => {
  const advice = "save the file as UTF-8"
  const raw = Buffer.from(bytes)
  const other = otherEncoding(
    raw
      .toString("latin1")
      .replace(/^\xef\xbb\xbf/, "")
      .split(/\r\n?|\n/)
  )
  if (other !== undefined) {
    const detail = `the encoding ${other.name} is not supported; ${advice}`
    return Either.left(new CfgSyntaxError({ line: other.line, detail }))
  }
  return Either.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(raw).replaceAll(/\r\n?/g, "\n"),
    catch: () => {
      const lines = raw.toString("latin1").split(/\r\n?|\n/)
      const invalid = lines.findIndex((line) => !isWellFormed(Buffer.from(line, "latin1")))
      return new CfgSyntaxError({ line: invalid + 1, detail: `not UTF-8; ${advice}` })
    }
  })
}

/**
 * Parses source text. The grammar takes the point of `5.` for the one of an attribute; writing `50` in its place gives
 * the right tree with the same positions, and values are read from the original text.
 */
const parseTree = (source: string): Tree => {
  for (let text = source; ; ) {
    const tree = parser.parse(text)
    const points: Array<number> = []
    tree.iterate({
      enter: ({ name, node }) => {
        const [number, point] = name === "MemberExpression" ? children(node) : []
        const digits = number?.name === "Number" && /^[0-9_]+$/.test(text.slice(number.from, number.to))
        if (digits && point !== undefined && point.from === number?.to) points.push(point.from)
      }
    })
    if (points.length === 0) return tree
    for (const at of points) text = `${text.slice(0, at)}0${text.slice(at + 1)}`
  }
}

/** The first place that Python would refuse; the grammar itself goes on after errors, and takes a little more. */
const firstProblem = (tree: Tree, source: string): { readonly at: number; readonly detail: string } | undefined => {
  const problems: Array<{ readonly at: number; readonly detail: string }> = []
  tree.iterate({
    enter: ({ name, type, from, to, node }) => {
      const text = source.slice(from, to)
      // The grammar does not know a bare `yield`.
      if (type.isError && !node.parent?.name.startsWith("Yield"))
        problems.push({ at: from, detail: "not valid Python" })
      if (name === "PrintStatement") problems.push({ at: from, detail: "print is a function since Python 3" })
      const open = name === "String" ? !isClosed(text) : name === "FormatString" && !/(['"])$/.test(text)
      if (open) problems.push({ at: from, detail: "a string is not closed" })
      if (node.parent?.name === "Script" && name !== "Comment") {
        const line = source.lastIndexOf("\n", from - 1) + 1
        const indent = source.slice(line, from)
        if (/^[ \t\f]*[ \t]$/.test(indent) && source.charAt(line - 2) !== "\\") {
          problems.push({ at: from, detail: "an unexpected indent" })
        }
      }
    }
  })
  return problems.reduce<(typeof problems)[number] | undefined>(
    (first, problem) => (first === undefined || problem.at < first.at ? problem : first),
    undefined
  )
}

/** Reads the text of a configuration file. */
export const parse = (source: string): Either.Either<CfgFile, CfgSyntaxError> => {
  const tree = parseTree(source)
  const lineOf = lineNumbers(source)
  const assignments = new Map<string, Assignment>()
  const changedAnyTime = new Map<string, Assignment>()
  let starImport: CfgFile["starImport"]
  let problem = firstProblem(tree, source)
  const within: Array<string> = []

  const computed = (name: string, how: string, at: number) =>
    assignments.set(name, { _tag: "Computed", source: how, line: lineOf(at) })

  const assign = (node: SyntaxNode) => {
    const groups: Array<Array<SyntaxNode>> = [[]]
    for (const part of children(node)) {
      if (part.name === "AssignOp") groups.push([])
      else if (part.name !== "TypeDef") groups.at(-1)?.push(part)
    }
    const value = groups.pop() ?? []
    const place = within.at(-1)
    const [only] = value
    const result: Read | undefined =
      place !== undefined || groups.length === 0 || only === undefined
        ? undefined
        : value.length === 1
          ? read(only, source)
          : readElements(value, source)
    if (result !== undefined && Either.isLeft(result) && result.left !== "Computed") problem ??= result.left
    for (const group of groups) {
      const [target] = group
      const inner = target?.name === "ParenthesizedExpression" ? children(target)[1] : target
      const [name] = inner?.name === "VariableName" && group.length === 1 ? [source.slice(inner.from, inner.to)] : []
      if (target !== undefined && constants.has(target.name)) {
        problem ??= { at: target.from, detail: "nothing can be assigned to a constant" }
      }
      if (name !== undefined && result !== undefined && Either.isRight(result)) {
        assignments.set(name, { _tag: "Literal", value: result.right, line: lineOf(node.from) })
      } else {
        const how = place === undefined ? excerpt(value, source) : `assigned inside ${place}`
        for (const each of group.flatMap((part) => targetNames(part, source))) computed(each, how, node.from)
      }
    }
  }

  tree.iterate({
    enter: ({ name, node, from }) => {
      for (const [each, how] of bound(node, source)) computed(each, how, from)
      const place = conditional[name]
      if (place !== undefined) within.push(place)
      if (name === "AssignStatement") assign(node)
      if (name === "ExpressionStatement") {
        const changed = mutated(node, source)
        const before = changed === undefined ? undefined : assignments.get(changed)
        // Strings and numbers have no method that changes them.
        if (changed !== undefined && before?._tag === "Literal" && typeof before.value === "object") {
          computed(changed, "changed by a call of its method", from)
        }
      }
      if (name === "ImportStatement" && children(node).at(-1)?.name === "*") {
        starImport = { source: excerpt([node], source), line: lineOf(from) }
        for (const each of assignments.keys()) computed(each, starImport.source, from)
      }
      if (name === "FunctionDefinition" || name === "ClassDefinition") {
        for (const each of declaredGlobal(node, source)) {
          const line = lineOf(from)
          changedAnyTime.set(each, { _tag: "Computed", source: "declared global in a function", line })
        }
      }
      // Their names are not the module's.
      return !(name === "FunctionDefinition" || name === "ClassDefinition" || name === "LambdaExpression")
    },
    leave: ({ name }) => {
      if (conditional[name] !== undefined) within.pop()
    }
  })
  if (problem !== undefined) {
    return Either.left(new CfgSyntaxError({ line: lineOf(problem.at), detail: problem.detail }))
  }
  return Either.right({ assignments: new Map([...assignments, ...changedAnyTime]), starImport })
}

/** Reads text that is one literal and nothing else; undefined: it is not. */
export const parseLiteral = (text: string): Literal | undefined => {
  const tree = parseTree(text)
  const [statement, ...others] = children(tree.topNode)
  if (statement?.name !== "ExpressionStatement" || others.length > 0) return undefined
  if (firstProblem(tree, text) !== undefined) return undefined
  const [only, ...rest] = children(statement)
  return only === undefined || rest.length > 0 ? undefined : Either.getOrUndefined(read(only, text))
}
