/**
 * Shows a computed expression in an error: one short line, without the literals that may be secrets.
 */
import type { SyntaxNode } from "@lezer/common"
import { children } from "./Literal.ts"

const maxLength = 60

const literals = new Set(["String", "ContinuedString", "FormatString", "Number"])

/** `os.environ['NAME']` and `os.environ.get('NAME')`: the name of a variable helps and is no secret. */
const isName = (node: SyntaxNode, source: string): boolean => {
  const parent = node.parent
  if (parent?.name === "MemberExpression") return node.prevSibling?.name === "["
  if (parent?.name !== "ArgList" || children(parent)[1]?.from !== node.from) return false
  const callee = parent.prevSibling
  return callee !== null && /(?:^|\.)(?:getenv|environ\.get)$/.test(source.slice(callee.from, callee.to))
}

/** The source text of an expression on one line of at most 60 characters. */
export const excerpt = (nodes: ReadonlyArray<SyntaxNode>, source: string): string => {
  let shown = ""
  let end = nodes[0]?.from ?? 0
  for (const expression of nodes) {
    expression.cursor().iterate((ref) => {
      if (ref.name === "Comment" || (literals.has(ref.name) && !isName(ref.node, source))) {
        shown += source.slice(end, ref.from) + (ref.name === "Comment" ? "" : "…")
        end = ref.to
        return false
      }
      return undefined
    })
  }
  shown += source.slice(end, nodes.at(-1)?.to ?? end)
  const line = shown.replaceAll(/\\?[\s\p{Cc}\p{Cf}]+/gu, " ").trim()
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line
}
