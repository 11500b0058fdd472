/**
 * Which names of the module a statement of Python binds, in the ways that give them no value we could read.
 */
import type { SyntaxNode } from "@lezer/common"
import { children } from "./Literal.ts"

/** Names to the words that say how they are bound. */
export type Bound = ReadonlyArray<readonly [name: string, how: string]>

const textOf = (node: SyntaxNode, source: string) => source.slice(node.from, node.to)

/** The names that an assignment to this target changes: `a`, `(a, *b)`, `a[0]`, `a.b`. */
export const targetNames = (target: SyntaxNode, source: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  const open = [target]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const [first] = children(node)
    if (node.name === "VariableName") names.push(textOf(node, source))
    else if (node.name === "MemberExpression" && first !== undefined) open.push(first)
    else if (node.name.endsWith("Expression") && node.name !== "CallExpression") open.push(...children(node))
  }
  return names
}

const imported = (node: SyntaxNode, source: string): ReadonlyArray<string> => {
  const parts = children(node)
  const start = parts.findIndex((part) => part.name === "import") + 1
  const names: Array<string> = []
  let item: ReadonlyArray<SyntaxNode> = []
  const end = () => {
    const alias = item.find((_, index) => item[index - 1]?.name === "as")
    const name = alias ?? item.find((part) => part.name === "VariableName")
    if (name !== undefined) names.push(textOf(name, source))
    item = []
  }
  for (const part of parts.slice(start)) {
    if (part.name === ",") end()
    else item = [...item, part]
  }
  end()
  return names
}

/** The parts that follow the word `as`. */
const afterAs = (node: SyntaxNode) => children(node).filter((part) => part.prevSibling?.name === "as")

const between = (node: SyntaxNode, from: string, to: string) => {
  const parts = children(node)
  return parts.slice(
    parts.findIndex((part) => part.name === from) + 1,
    parts.findIndex((part) => part.name === to)
  )
}

/** The names that this node itself binds, its parts aside. Assignments are not looked at. */
export const bound = (node: SyntaxNode, source: string): Bound => {
  const all = (targets: ReadonlyArray<SyntaxNode>, how: string): Bound =>
    targets.flatMap((target) => targetNames(target, source)).map((name) => [name, how] as const)
  const [first, second] = children(node)
  switch (node.name) {
    case "UpdateStatement":
      return all(first === undefined ? [] : [first], "changed by an augmented assignment")
    case "DeleteStatement":
      return all(children(node).slice(1), "deleted by del")
    case "ImportStatement":
      return imported(node, source).map((name) => [name, "bound by an import"] as const)
    case "ForStatement":
      return all(between(node, "for", "in"), "bound by a for loop")
    case "WithStatement":
      return all(afterAs(node), "bound by a with statement")
    case "TryStatement":
      return all(afterAs(node), "bound by an except clause")
    case "NamedExpression":
      return all(first === undefined ? [] : [first], "assigned by :=")
    case "CapturePattern":
      return all(first === undefined ? [] : [first], "bound by a match statement")
    case "AsPattern":
      return all(afterAs(node), "bound by a match statement")
    case "TypeDefinition":
      return all(second === undefined ? [] : [second], "bound by a type statement")
    case "FunctionDefinition":
    case "ClassDefinition": {
      const name = children(node).find((part) => part.name === "VariableName")
      return all(name === undefined ? [] : [name], "a function or a class")
    }
    default:
      return []
  }
}

/** The name whose method a statement calls (`A.append(1)`), which may change its value. */
export const mutated = (node: SyntaxNode, source: string): string | undefined => {
  const [call] = children(node)
  const [callee] = call?.name === "CallExpression" ? children(call) : []
  return callee?.name === "MemberExpression" ? targetNames(callee, source)[0] : undefined
}

/** The names that a function or class declares as the module's own: it may change them whenever it runs. */
export const declaredGlobal = (node: SyntaxNode, source: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  node.cursor().iterate((ref) => {
    if (ref.name === "ScopeStatement" && ref.node.firstChild?.name === "global") {
      names.push(
        ...children(ref.node)
          .filter((part) => part.name === "VariableName")
          .map((part) => textOf(part, source))
      )
    }
  })
  return names
}
