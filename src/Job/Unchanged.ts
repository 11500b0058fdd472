/**
 * Which values a schema encodes to themselves, and so decodes to themselves, told without its parser: that copies what it passes,
 * and takes longer to do so than it takes to write a message.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

type Test = (value: unknown) => boolean

const never: Test = () => false

/** Not what a class made: of that the parser makes another object. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const isText: Test = (value) => typeof value === "string"

/** What is behind a declaration only its parser tells, which may make another value, or ask for less where it encodes. */
const declared = (ast: SchemaAST.Declaration): Test => {
  const schema = Schema.make(ast)
  const encode = ParseResult.encodeUnknownEither(schema)
  const decode = ParseResult.decodeUnknownEither(schema)
  return (value) => {
    const encoded = encode(value)
    if (Either.isLeft(encoded) || encoded.right !== value) return false
    const decoded = decode(value)
    return Either.isRight(decoded) && decoded.right === value
  }
}

const suspended = (ast: SchemaAST.Suspend, known: Map<SchemaAST.AST, Test>): Test => {
  let test: Test | undefined
  return (value) => {
    test ??= testOf(ast.f(), known)
    return test(value)
  }
}

/** What a type is made of. */
const partsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Refinement":
      return [ast.from]
    case "Suspend":
      return [ast.f()]
    case "Union":
      return ast.types
    case "TupleType":
      return [...ast.elements, ...ast.rest].map(({ type }) => type)
    case "TypeLiteral":
      return ast.indexSignatures.map(({ type }) => type)
    case "Declaration":
      return ast.typeParameters
    default:
      return []
  }
}

/** Whether it may make another value of what it takes, or leave a part of it out. */
const mayChange = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Transformation" ||
  SchemaAST.DecodingFallbackAnnotationId in ast.annotations ||
  (ast._tag === "TypeLiteral" &&
    (ast.propertySignatures.length > 0 ||
      ast.indexSignatures.some(({ parameter }) => !SchemaAST.isStringKeyword(parameter))))

const isRecord = (ast: SchemaAST.AST): boolean => ast._tag === "TypeLiteral" && ast.indexSignatures.length > 0

const takesClasses = (ast: SchemaAST.AST): boolean => ast._tag === "UnknownKeyword" || ast._tag === "Declaration"

/** So many are looked at: a type that is made anew wherever it holds itself has no end. */
const mostParts = 1_000

/** Whether each of these types, where it takes a value that passes the test of another one, leaves it as it is. */
const isClear = (types: ReadonlyArray<SchemaAST.AST>): boolean => {
  const parts = new Set(types)
  // What is added is visited as well.
  for (const part of parts) {
    if (parts.size > mostParts) return false
    for (const more of partsOf(part)) parts.add(more)
  }
  const all = [...parts]
  // A record makes a plain object of what a class made.
  return !all.some(mayChange) && !(all.some(isRecord) && all.some(takesClasses))
}

/** Where it is not clear what a value is, the parser tells: it takes the first type that will have it. */
const union = ({ types }: SchemaAST.Union, known: Map<SchemaAST.AST, Test>): Test => {
  const tests = types.map((type) => testOf(type, known))
  // Asked for with the first value, for what is suspended may not be there before.
  let isToldHere: boolean | undefined
  return (value) => {
    isToldHere ??= isClear(types)
    if (!isToldHere) return false
    for (const test of tests) if (test(value)) return true
    return false
  }
}

const array = ({ elements, rest }: SchemaAST.TupleType, known: Map<SchemaAST.AST, Test>): Test => {
  const [item, ...more] = rest
  if (elements.length > 0 || item === undefined || more.length > 0) return never
  const test = testOf(item.type, known)
  return (value) => {
    if (!Array.isArray(value)) return false
    for (const one of value) if (!test(one)) return false
    return true
  }
}

/** Of an object with named fields the others are left out: only one of any keys stays as it is. */
const record = (ast: SchemaAST.TypeLiteral, known: Map<SchemaAST.AST, Test>): Test => {
  const [index, ...more] = ast.indexSignatures
  if (ast.propertySignatures.length > 0 || index === undefined || more.length > 0) return never
  if (!SchemaAST.isStringKeyword(index.parameter)) return never
  if (SchemaAST.isUnknownKeyword(index.type)) return isPlain
  const test = testOf(index.type, known)
  return (value) => {
    if (!isPlain(value)) return false
    for (const key of Object.keys(value)) if (!test(value[key])) return false
    return true
  }
}

const compile = (ast: SchemaAST.AST, known: Map<SchemaAST.AST, Test>): Test => {
  // It may ask for more than the type says.
  if (SchemaAST.ParseOptionsAnnotationId in ast.annotations) return never
  switch (ast._tag) {
    case "UnknownKeyword":
      return () => true
    case "StringKeyword":
      return isText
    case "NumberKeyword":
      return (value) => typeof value === "number"
    case "BooleanKeyword":
      return (value) => typeof value === "boolean"
    case "UndefinedKeyword":
      return (value) => value === undefined
    case "Literal":
      return (value) => value === ast.literal
    case "Declaration":
      return declared(ast)
    case "Suspend":
      return suspended(ast, known)
    case "Union":
      return union(ast, known)
    case "TupleType":
      return array(ast, known)
    case "TypeLiteral":
      return record(ast, known)
    default:
      return never
  }
}

const testOf = (ast: SchemaAST.AST, known: Map<SchemaAST.AST, Test>): Test => {
  const test = known.get(ast) ?? compile(ast, known)
  known.set(ast, test)
  return test
}

/**
 * A test of whether the named fields of a value are all that its schema encodes it to, each as it is. What does not pass may
 * still be encoded, or be refused: that the parser tells.
 */
export const make = <A, I>({
  ast
}: Schema.Schema<A, I>): ((value: unknown) => value is A & Readonly<Record<string, unknown>>) => {
  const known = new Map<SchemaAST.AST, Test>()
  const fields =
    ast._tag === "TypeLiteral" &&
    ast.indexSignatures.length === 0 &&
    !(SchemaAST.ParseOptionsAnnotationId in ast.annotations)
      ? ast.propertySignatures.map(({ isOptional, name, type }) => ({ isOptional, name, test: testOf(type, known) }))
      : undefined
  return (value): value is A & Readonly<Record<string, unknown>> => {
    if (fields === undefined || !isPlain(value)) return false
    for (const { isOptional, name, test } of fields) {
      if (typeof name === "symbol" || !(Object.hasOwn(value, name) ? test(value[name]) : isOptional)) return false
    }
    return true
  }
}
