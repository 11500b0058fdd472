/**
 * What a body may be: plain text, HTML or a MIME entity, of limited size.
 */
import * as Option from "effect/Option"
import type { Mail } from "../Mailer.ts"

/** Octets in UTF-8 that a body has at most by default; a mail with a one-time password has a few hundred. */
export const defaultMaxOctets = 10 * 1024 * 1024

/** Whether a body has so many octets at most. */
export const fits = (body: Mail["body"], maxOctets: number): boolean =>
  (typeof body === "string" ? Buffer.byteLength(body) : body.mime.length) <= maxOctets

/** Reads a mimetype as jobs hold it: in any case, with blanks around; absent or empty is plain. None: any other type. */
export const parseMimetype = (mimetype: string | null | undefined): Option.Option<"plain" | "html"> => {
  const name = (mimetype ?? "").trim().toLowerCase()
  return name === "" || name === "plain" ? Option.some("plain") : name === "html" ? Option.some(name) : Option.none()
}
