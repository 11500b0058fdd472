/**
 * What of a server's words may be told: mail servers repeat addresses and lines of the mail in their replies.
 */

/** What must not show up in a reply: the mail it answers, the recipients, the password. */
export interface Confidential {
  readonly subject: string
  readonly body: string
  readonly words: ReadonlyArray<string>
}

/** Characters of a reply that are told; the rest is advertising. */
const maxCharacters = 200

/** Looked at before anything is searched: a reply may have 64 KiB. */
const maxSearched = 1000

/** A word shorter than this says nothing about a mail; codes have four digits or more. */
const minWord = 4

/** Without a digit a word is a word of the language, unless it is as long as a code may be. */
const minPlainWord = 6

/** What may be Base64 of something that must not show up, as a reply to AUTH may have it. */
const encoded = /[A-Za-z0-9+/_-]{8,}={0,2}/g

/** Controls, separators, bidirectional controls and lone surrogates, as one line of a log must show them. */
const escapeControls = (text: string): string =>
  text.replaceAll(
    /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** Digits that are set apart from each other, as a code is for people to read. */
const grouped = /\d(?:[\s.\u2010-\u2015-]{0,3}\d){2,}/g

/** Parts of a code with signs between them, letters among them. */
const joined = /[\p{L}\p{N}]+(?:[-_.:/\u2010-\u2015][\p{L}\p{N}]+)+/gu

/** Whether one stands in the other: a reply may hold a part of a code, or more beside it. */
const isPart = (one: string, other: string) => one.includes(other) || other.includes(one)

const digitsOf = (text: string) => text.replaceAll(/\D/g, "")

/** A reply in one line: without addresses, without codes and words that stand in the mail, shortened. */
export const redact = (reply: string, confidential: Confidential): string => {
  const stands = (word: string) => confidential.subject.includes(word) || confidential.body.includes(word)
  const tells = (text: string) =>
    confidential.words.some((word) => word.length >= minWord && text.includes(word)) ||
    (text.match(/[\p{L}\p{N}]{4,}/gu) ?? []).some(stands)
  let text = reply.slice(0, maxSearched).replaceAll(/[^\s<>"'(),:;]*@[^\s<>"'(),:;]*/g, "[address]")
  for (const word of confidential.words) if (word.length >= minWord) text = text.replaceAll(word, "[removed]")
  const digits = confidential.body.concat("\n", confidential.subject).match(grouped)?.map(digitsOf)
  // Reply codes stand in front of a reply, whatever else stands in the mail.
  const [codes = ""] = /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(text) ?? []
  text = text
    .slice(codes.length)
    .replaceAll(grouped, (group) => (digits?.some((it) => isPart(it, digitsOf(group))) ? "[removed]" : group))
    .replaceAll(joined, (group) => (/\p{N}/u.test(group) && stands(group) ? "[removed]" : group))
    .replaceAll(encoded, (token) => (tells(Buffer.from(token, "base64").toString()) ? "[removed]" : token))
    .replaceAll(/[\p{L}\p{N}]+/gu, (word) =>
      word.length >= (/\p{N}/u.test(word) ? minWord : minPlainWord) && stands(word) ? "[removed]" : word
    )
    .replaceAll(/\d{4,}/g, (digits) => (stands(digits) ? "[removed]" : digits))
  const escaped = escapeControls(`${codes}${text}`.replaceAll(/\s+/g, " ").trim())
  return escaped.length > maxCharacters ? `${escaped.slice(0, maxCharacters - 1)}…` : escaped
}
