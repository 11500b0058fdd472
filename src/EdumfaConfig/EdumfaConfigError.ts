/**
 * The error of a configuration that cannot be used.
 */
import * as Data from "effect/Data"

/**
 * What is wrong. `NotFound`, `Unreadable`: a file; `Syntax`: it is not Python; `Computed`: a needed value would have to
 * be computed; `Invalid`: of the wrong type; `Missing`: demanded and absent; `OverDetermined`: given twice in two ways;
 * `Refused`: a key that is not supported.
 */
export type EdumfaConfigReason =
  | "NotFound"
  | "Unreadable"
  | "Syntax"
  | "Computed"
  | "Invalid"
  | "Missing"
  | "OverDetermined"
  | "Refused"

/** A configuration that cannot be used; its message is one line with file, line, key and what to write instead. */
export class EdumfaConfigError extends Data.TaggedError("EdumfaConfigError")<{
  readonly reason: EdumfaConfigReason
  /** Without the value of any secret. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message() {
    // Names of files and values that are not secret may hold any character.
    return this.detail.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
  }
}
