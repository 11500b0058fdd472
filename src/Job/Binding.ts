/**
 * The arguments of a job by their names, and as Python passes them.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as SchemaAST from "effect/SchemaAST"
import type { Call } from "../Job.ts"

/** Marks the issues whose message is ours: another's may repeat a value. */
export const ours = Symbol("edumfa-queue/Job/ours")

const refuse = (ast: SchemaAST.AST, message: string) =>
  Either.left(ParseResult.parseError(new ParseResult.Type(ast, ours, message)))

/** Names the arguments of a call as Python would: by position, then by keyword, none twice, none unknown. */
export const bind = (
  ast: SchemaAST.AST,
  params: ReadonlyArray<string>,
  { args, kwargs }: Call
): Either.Either<Readonly<Record<string, unknown>>, ParseResult.ParseError> => {
  if (args.length > params.length) {
    return refuse(ast, `takes ${params.length} arguments, ${args.length} were given`)
  }
  const named: Record<string, unknown> = {}
  for (let index = 0; index < args.length; index++) named[params[index] ?? ""] = args[index]
  for (const key of Object.keys(kwargs)) {
    const index = params.indexOf(key)
    if (index === -1) return refuse(ast, "a keyword argument that the job does not have")
    if (index < args.length) return refuse(ast, `two values for the argument ${key}`)
    named[key] = kwargs[key]
  }
  return Either.right(named)
}

/** By position up to the first argument left out, the rest by keyword. */
export const unbind = (params: ReadonlyArray<string>, named: Readonly<Record<string, unknown>>): Call => {
  const args: Array<unknown> = []
  const kwargs: Record<string, unknown> = {}
  for (let index = 0; index < params.length; index++) {
    const param = params[index] ?? ""
    if (!Object.hasOwn(named, param)) continue
    if (args.length === index) args.push(named[param])
    else kwargs[param] = named[param]
  }
  return { args, kwargs }
}
