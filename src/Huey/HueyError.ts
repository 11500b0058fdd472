/**
 * Why bytes are not a message, or a message cannot become bytes.
 */
import * as Data from "effect/Data"

/**
 * `Empty`: no bytes; `TooLarge`: more bytes than a message may have, packed or unpacked; `Compression`: gzip or zlib that
 * cannot be unpacked; `Signature`: missing, wrong, or not to be verified here; `Malformed`: no pickle, or a broken one;
 * `Forbidden`: a pickle that asks for more than data; `Limit`: nested, shared or numerous beyond measure; `NotMessage`: a
 * sound pickle of something else.
 */
export type HueyReason =
  | "Empty"
  | "TooLarge"
  | "Compression"
  | "Signature"
  | "Malformed"
  | "Forbidden"
  | "Limit"
  | "NotMessage"

/** Bytes that were refused; nothing in them was run. */
export class HueyError extends Data.TaggedError("HueyError")<{
  readonly reason: HueyReason
  /** One line for the log and the dead letter; never an argument of the job. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message() {
    return `${this.reason}: ${this.detail}`
  }
}

/** As much of a foreign name as a log line may bear. */
const shownLength = 80

/** Shows a name that a stranger chose. What is no name may be an argument that got in its place, and is not shown. */
export const shown = (name: string): string => {
  const start = name.slice(0, shownLength)
  return /^[A-Za-z_][\w.]*$/.test(start) ? start : "(not a name)"
}
