/**
 * The subject as one line of text.
 */
import * as Option from "effect/Option"

/** A line break, then what a mail program would read as the name of a header. */
const hiddenHeader = /[\n\r\v\f\u0085\u2028\u2029][^\s:]+:/
const lineBreaks = /[\n\r\v\f\u0085\u2028\u2029]+/

/**
 * Line breaks are trimmed at the end and become one space inside, other control characters are dropped, a lone
 * surrogate becomes U+FFFD. None: the subject tries to add a header.
 */
export const parse = (subject: string): Option.Option<string> => {
  if (hiddenHeader.test(subject)) return Option.none()
  const lines = subject.split(lineBreaks).map((line) => line.trim())
  const text = lines.filter((line) => line !== "").join(" ")
  return Option.some(
    text
      .replaceAll("\t", " ")
      // Before what may stand between two halves is dropped: they must not become one.
      .replaceAll(/\p{Cs}/gu, "\ufffd")
      .replaceAll(/\p{Cc}/gu, "")
  )
}
