/**
 * Shortens personal data to what an operator needs to recognise a case.
 */
import * as Cause from "effect/Cause"
import * as Predicate from "effect/Predicate"

const failureName = (error: unknown): string =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag)
    ? error._tag
    : error instanceof Error
      ? error.name
      : "no error"

const frames = (error: unknown): ReadonlyArray<string> =>
  error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^ {4}at /.test(line)) : []

/** Says what was thrown and where, by names and stack frames: the words of an error may repeat what a job holds. */
export const thrown = (cause: Cause.Cause<unknown>): string => {
  const errors = [...Cause.failures(cause), ...Cause.defects(cause)]
  if (errors.length === 0) return "interrupted"
  return errors.map((error) => [failureName(error), ...frames(error).map((line) => line.trim())].join(" ")).join("; ")
}

/** What cannot belong to a host name or an address literal. */
const afterDomain = /[\s<>()",;\\]/

/**
 * Masks a mailbox: `ada@example.org` becomes `a***@example.org`, and a display name is left out. Text without `@` becomes
 * `***`, for it may be anything.
 */
export const maskMailbox = (mailbox: string): string => {
  const at = mailbox.lastIndexOf("@")
  if (at === -1) return "***"
  const local = mailbox.slice(0, at)
  const first = local.codePointAt(local.lastIndexOf("<") + 1)
  const rest = mailbox.slice(at + 1)
  const end = rest.search(afterDomain)
  return `${first === undefined ? "" : String.fromCodePoint(first)}***@${end === -1 ? rest : rest.slice(0, end)}`
}
