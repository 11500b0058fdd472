/**
 * What the environment and the file together give for each key.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Literal } from "./CfgFile/Literal.ts"
import type { Assignment, CfgFile } from "./CfgFile.ts"
import { EdumfaConfigError } from "./EdumfaConfigError.ts"
import type { Environment } from "./Environment.ts"
import * as keys from "./keys.ts"

/** A value with its place: text from the environment, a literal from the file. */
export interface Setting {
  /** `/etc/edumfa/edumfa.cfg, line 9` or `environment`. */
  readonly where: string
  /** The key as it is called there. */
  readonly name: string
  readonly value:
    | { readonly _tag: "Text"; readonly text: string }
    | { readonly _tag: "Literal"; readonly value: Literal }
}

/** A file that was read, or values given in code. */
export interface Assignments {
  readonly cfg: CfgFile
  /** Names a line of it. */
  readonly where: (line: number) => string
}

export interface Settings {
  readonly source: string
  readonly product: keys.Product
  /** The name of a key in the file. */
  readonly nameOf: (key: string) => string
  readonly find: (key: string) => Effect.Effect<Option.Option<Setting>, EdumfaConfigError>
  /** What is wrong with each key of the queue that is not supported. */
  readonly refused: ReadonlyArray<EdumfaConfigError>
  /** Refuses keys of the queue that are not supported, and a connection that is given in two ways. */
  readonly checkQueueKeys: Effect.Effect<void, EdumfaConfigError>
}

const urlKey = "EDUMFA_JOB_QUEUE_URL"

const hostKey = "EDUMFA_JOB_QUEUE_HOST"

/** A variable that says who we are, and not where Redis is. */
const isCredential = (variable: string) => /_JOB_QUEUE_(?:USERNAME|PASSWORD)(?:_FILE)?$/.test(variable)

/** Without it there is no queue, so it must not get lost in a module that the file imports. */
const classKey = "EDUMFA_JOB_QUEUE_CLASS"

/** Whether a variable gives the URL, itself or by a file. */
const isUrl = (variable: string) => /_JOB_QUEUE_URL(?:_FILE)?$/.test(variable)

/** None says nothing, and huey takes an empty URL for none. */
const isGiven = (key: string, assignment: Assignment) =>
  assignment._tag === "Computed" || (assignment.value !== null && !(assignment.value === "" && key.endsWith("_URL")))

/** A value of Flask's `from_prefixed_env`: JSON, or the text itself. */
const fromJson = (text: string): Literal => {
  try {
    const value: Literal = JSON.parse(text)
    return value
  } catch {
    return text
  }
}

/** The variable of a key in privacyIDEA's environment, which has names of its own. */
const variableOf = (key: string) => `PRIVACYIDEA_${keys.nameIn("privacyIDEA", key)}`

/** Without a file, whoever chose the queue by a variable; else `standard`. */
export const productOf = (
  environment: Environment,
  standard: keys.Product
): Effect.Effect<keys.Product, EdumfaConfigError> =>
  Effect.map(environment.variable(variableOf(classKey)), (found) => (Option.isSome(found) ? "privacyIDEA" : standard))

interface Given {
  readonly where: string
  readonly name: string
  readonly assignment: Assignment
}

export const make = (
  source: string,
  product: keys.Product,
  environment: Environment,
  file: Option.Option<Assignments>
): Settings => {
  const nameOf = (key: string) => keys.nameIn(product, key)
  const keyOf = (name: string) => (product === "privacyIDEA" ? name.replace(/^PI_/, "EDUMFA_") : name)

  const inFile = (key: string): Option.Option<Given> =>
    Option.flatMap(file, ({ cfg, where }) => {
      const { assignments, starImport } = cfg
      const name = nameOf(key)
      const assignment = assignments.get(name)
      if (assignment === undefined && key === classKey && starImport !== undefined) {
        return Option.some({ where: where(starImport.line), name, assignment: { _tag: "Computed", ...starImport } })
      }
      return assignment === undefined ? Option.none() : Option.some({ where: where(assignment.line), name, assignment })
    })

  /** privacyIDEA reads variables with its own prefix before its file, so that the file wins. */
  const beforeFile = Effect.fnUntraced(function* (key: string) {
    if (product !== "privacyIDEA") return Option.none<Given>()
    const name = variableOf(key)
    return Option.map(
      yield* environment.variable(name),
      (text): Given => ({ where: "environment", name, assignment: { _tag: "Literal", value: fromJson(text), line: 0 } })
    )
  })

  const assigned = (key: string) =>
    Effect.map(
      Option.match(inFile(key), { onNone: () => beforeFile(key), onSome: Effect.succeedSome }),
      Option.filter(({ assignment }) => isGiven(key, assignment))
    )

  const computed = (key: string, { name, where }: Given, how: string) => {
    const example = keys.exampleOf(key, product)
    const write = `write the value itself${example === undefined ? "" : `, for example ${name} = ${example}`}`
    const detail = `${where}: ${name} is computed (${how}); ${write}, or set ${name} in the environment`
    return new EdumfaConfigError({ reason: "Computed", detail })
  }

  /** The variables of a key: eduMFA's name counts at privacyIDEA's sites too. */
  const variablesOf = (key: string) => [...new Set([nameOf(key), key])]

  /** The variables that give a connection, URL first. */
  const connectionVariables = Effect.map(
    Effect.forEach(keys.connectionKeys.flatMap(variablesOf), environment.giving),
    (names) => names.flatMap(Option.toArray)
  )

  const find = Effect.fnUntraced(function* (key: string) {
    for (const variable of variablesOf(key)) {
      const found = yield* environment.setting(variable)
      if (Option.isNone(found)) continue
      const { name, text } = found.value
      return Option.some<Setting>({ where: "environment", name, value: { _tag: "Text", text } })
    }
    if (keys.connectionKeys.includes(key) && (yield* connectionVariables).length > 0) return Option.none()
    const found = yield* assigned(key)
    if (Option.isNone(found)) return Option.none()
    const { assignment, name, where } = found.value
    if (assignment._tag === "Computed") return yield* computed(key, found.value, assignment.source)
    return Option.some<Setting>({ where, name, value: { _tag: "Literal", value: assignment.value } })
  })

  const overDetermined = (where: string, first: string, second: string) =>
    new EdumfaConfigError({
      reason: "OverDetermined",
      detail: `${where}: ${first} and ${second} both name the connection; keep the URL or the single keys`
    })

  /** A password alone would take the place of the host in the file: nobody means that. */
  const checkReplaced = Effect.fnUntraced(function* (variables: ReadonlyArray<string>) {
    if (!variables.every(isCredential)) return
    const names = variables.map((variable) => variable.replace(/_FILE$/, ""))
    for (const key of keys.connectionKeys) {
      const found = yield* assigned(key)
      if (Option.isNone(found) || names.some((name) => variablesOf(key).includes(name))) continue
      const { name, where } = found.value
      const given = `${variables.join(" and ")} ${variables.length === 1 ? "takes" : "take"}`
      return yield* new EdumfaConfigError({
        reason: "Missing",
        detail:
          `environment: ${given} the place of the whole connection in the file (${where}: ${name}), and the host is ` +
          `missing; set ${nameOf(urlKey)} instead, or ${nameOf(hostKey)} beside it, in the environment`
      })
    }
  })

  const refused = Option.toArray(file).flatMap(({ cfg, where }) =>
    [...cfg.assignments].flatMap(([name, assignment]) => {
      const reason = keys.refusal(keyOf(name), nameOf)
      if (reason === undefined) return []
      const detail = `${where(assignment.line)}: ${name} ${reason}`
      return new EdumfaConfigError({ reason: "Refused", detail })
    })
  )

  const checkQueueKeys = Effect.gen(function* () {
    const [first] = refused
    if (first !== undefined) return yield* first
    const variables = yield* connectionVariables
    const [variable, other] = variables
    if (variable !== undefined && isUrl(variable) && other !== undefined)
      return yield* overDetermined("environment", variable, other)
    if (variable !== undefined) return yield* checkReplaced(variables)
    const url = yield* assigned(urlKey)
    if (Option.isNone(url)) return
    for (const key of keys.connectionKeys) {
      const single = key === urlKey ? Option.none() : yield* assigned(key)
      if (Option.isSome(single)) return yield* overDetermined(single.value.where, url.value.name, single.value.name)
    }
  })

  // For each key of the connection it is asked: once is enough, for nothing changes of file and environment.
  let isChecked = false
  const checkOnce = Effect.suspend(() =>
    isChecked
      ? Effect.void
      : Effect.tap(checkQueueKeys, () => {
          isChecked = true
        })
  )

  return { source, product, nameOf, find, refused, checkQueueKeys: checkOnce }
}
