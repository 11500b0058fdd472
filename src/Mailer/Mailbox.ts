/**
 * One mailbox, `addr`, `phrase <addr>` or `<addr>`, and lists of them, read without any library that guesses.
 *
 * Wider than RFC 5322 where sites rely on it (dots anywhere, bare local parts, `_` in domains, phone numbers with
 * spaces) and narrower where an address could be taken for more than one (no groups, no `@ < > \` in quoted parts).
 */
import * as Either from "effect/Either"
import { isAscii, normalizeDomain } from "../Domain.ts"

/** A mailbox in parts: nothing behind this point parses a string from a job. */
export interface Mailbox {
  /** The display name, unquoted; empty where there is none. */
  readonly phrase: string
  /** Local part, or local part `@` domain; international domains as A-labels. */
  readonly address: string
  /** Empty for a bare local part. */
  readonly domain: string
  /** The local part is not ASCII: only a mail server with SMTPUTF8 (RFC 6531) takes it. */
  readonly smtpUtf8: boolean
}

/** The rule that a string broke; safe to log, it quotes nothing. */
export type MailboxFault =
  | "control character"
  | "group syntax"
  | "unbalanced quote, comment or bracket"
  | "no single mailbox"
  | "local part"
  | "domain"
  | "too long"

/** Octets of one address: enough for every mail server in use, and its command still fits in 1000. */
export const maxAddressOctets = 900

/** C0, DEL, C1, lone surrogates, line and paragraph separators, bidirectional controls: never part of an address. */
const forbidden = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** RFC 5322 atext and dots. */
const asciiLocal = /^[\w!#$%&'*+\-/=?^`{|}~.]+$/
/** RFC 6531 adds everything outside ASCII that is not space or control. */
const anyLocal = /^(?:[\w!#$%&'*+\-/=?^`{|}~.]|[^\p{ASCII}\s\p{C}])+$/u
const quotedLocal = /^"[\x20\x21\x23-\x3b\x3d\x3f\x41-\x5b\x5d-\x7e]+"$/
const phoneNumber = /^[+0-9/-]+$/

/** Reads `local` or `local@domain`, without phrase, comments and angle brackets. */
const parseAddress = (phrase: string, text: string): Either.Either<Mailbox, MailboxFault> => {
  const quoteEnd = text.startsWith('"') ? text.indexOf('"', 1) : -1
  const at = text.indexOf("@", quoteEnd + 1)
  const writtenLocal = at === -1 ? text : text.slice(0, at)
  const compact = writtenLocal.includes(" ") ? writtenLocal.replaceAll(" ", "") : ""
  const local = phoneNumber.test(compact) ? compact : writtenLocal
  const isPlain = asciiLocal.test(local)
  if (!isPlain && !anyLocal.test(local) && !quotedLocal.test(local)) return Either.left("local part")
  const domain = at === -1 ? "" : normalizeDomain(text.slice(at + 1))
  if (domain === undefined) return Either.left("domain")
  const address = at === -1 ? local : `${local}@${domain}`
  if (Buffer.byteLength(address) > maxAddressOctets) return Either.left("too long")
  return Either.right({ phrase, address, domain, smtpUtf8: !isPlain && !isAscii(local) })
}

/** What a scan of a string found: its pieces between separators, less comments. */
interface Piece {
  /** As written, trimmed. */
  readonly source: string
  /** Without comments. */
  readonly text: string
  /** Index in `text` of the `<` outside quotes, -1 without one. */
  readonly open: number
  /** Index in `text` of its `>`. */
  readonly close: number
}

/** What divides a text, or hides what would. */
const dividing = /["([<>,;:]/

/** As a site writes its sender: nothing that divides but one pair of angle brackets. */
const bracketed = /^[^"([<>,;:]*<[^"([<>]*>[^"([<>,;:]*$/

const scan = (input: string): Either.Either<ReadonlyArray<Piece>, MailboxFault> => {
  if (!dividing.test(input)) return Either.right([{ source: input.trim(), text: input, open: -1, close: -1 }])
  if (!bracketed.test(input)) return scanAll(input)
  return Either.right([{ source: input.trim(), text: input, open: input.indexOf("<"), close: input.indexOf(">") }])
}

const scanAll = (input: string): Either.Either<ReadonlyArray<Piece>, MailboxFault> => {
  const pieces: Array<Piece> = []
  let text = ""
  let start = 0
  let open = -1
  let close = -1
  let comments = 0
  let inside: "" | '"' | "[" = ""
  const finish = (end: number) => {
    pieces.push({ source: input.slice(start, end).trim(), text, open, close })
    text = ""
    start = end + 1
    open = -1
    close = -1
  }
  for (let index = 0; index < input.length; index++) {
    const character = input.charAt(index)
    if (comments > 0) {
      if (character === "\\") index++
      else if (character === "(") comments++
      else if (character === ")") comments--
      continue
    }
    if (inside === '"') {
      if (character === "\\") {
        text += character + input.charAt(++index)
        continue
      }
      if (character === '"') inside = ""
    } else if (inside === "[") {
      if (character === "]") inside = ""
    } else if (character === "(") {
      comments++
      continue
    } else if (character === '"' || character === "[") {
      inside = character
    } else if (character === "<") {
      if (open !== -1) return Either.left("no single mailbox")
      open = text.length
    } else if (character === ">") {
      if (open === -1 || close !== -1) return Either.left("unbalanced quote, comment or bracket")
      close = text.length
    } else if (open === -1 || close !== -1) {
      if (character === ":") return Either.left("group syntax")
      if (character === "," || character === ";") {
        finish(index)
        continue
      }
    }
    text += character
  }
  if (comments > 0 || inside !== "" || (open !== -1 && close === -1)) {
    return Either.left("unbalanced quote, comment or bracket")
  }
  finish(input.length)
  return Either.right(pieces)
}

/** A phrase without its quotes and doubled spaces. */
const unquote = (phrase: string): string =>
  phrase
    .replaceAll(/"((?:[^"\\]|\\.)*)"/gs, (_, quoted: string) => quoted.replaceAll(/\\(.)/gs, "$1"))
    .replaceAll(/\s+/g, " ")
    .trim()

const parsePiece = (piece: Piece): Either.Either<Mailbox, MailboxFault> => {
  if (piece.open === -1) return parseAddress("", piece.text.trim())
  if (piece.text.slice(piece.close + 1).trim() !== "") return Either.left("no single mailbox")
  return parseAddress(unquote(piece.text.slice(0, piece.open)), piece.text.slice(piece.open + 1, piece.close).trim())
}

/** One entry of a list: the mailbox it is, or the rule it breaks. */
export interface Entry {
  /** As written, trimmed. */
  readonly source: string
  readonly mailbox: Either.Either<Mailbox, MailboxFault>
}

/**
 * Reads mailboxes separated by `,` or `;` outside quotes, comments and angle brackets; empty entries are dropped.
 * Left: the string as a whole is refused, since it cannot be told where its mailboxes begin and end.
 */
export const parseList = (text: string): Either.Either<ReadonlyArray<Entry>, MailboxFault> => {
  const input = text.trim()
  if (forbidden.test(input)) return Either.left("control character")
  const pieces = scan(input)
  if (Either.isLeft(pieces)) return Either.left(pieces.left)
  const entries: Array<Entry> = []
  for (const piece of pieces.right) {
    if (piece.text.trim() !== "") entries.push({ source: piece.source, mailbox: parsePiece(piece) })
  }
  return Either.right(entries)
}

/** Reads exactly one mailbox. */
export const parse = (text: string): Either.Either<Mailbox, MailboxFault> => {
  const entries = parseList(text)
  if (Either.isLeft(entries)) return Either.left(entries.left)
  const [first, second] = entries.right
  return first === undefined || second !== undefined ? Either.left("no single mailbox") : first.mailbox
}
