/**
 * What a body may be: plain text or HTML of limited size.
 */
import * as Option from "effect/Option"

/** Octets in UTF-8; more is refused, a mail with a one-time password has a few hundred. */
export const maxOctets = 10 * 1024 * 1024

/** Whether a body is within {@link maxOctets}. */
export const fits = (body: string): boolean => Buffer.byteLength(body) <= maxOctets

/** Reads a mimetype as jobs hold it: in any case, with blanks around; absent or empty is plain. None: any other type. */
export const parseMimetype = (mimetype: string | null | undefined): Option.Option<"plain" | "html"> => {
  const name = (mimetype ?? "").trim().toLowerCase()
  return name === "" || name === "plain" ? Option.some("plain") : name === "html" ? Option.some(name) : Option.none()
}
