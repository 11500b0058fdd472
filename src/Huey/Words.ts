/**
 * Texts that stand in nearly every message: the fields of a mail and of its SMTP server's definition. They are found rather
 * than made, and as keys of a dict need not be looked up among all names of the process.
 */

const words = [
  "huey.registry",
  "Message",
  "datetime",
  "edumfa.lib.smtpserver.smtpserver.send_email",
  "privacyidea.lib.smtpserver.smtpserver.send_email",
  "config",
  "recipient",
  "subject",
  "body",
  "sender",
  "reply_to",
  "mimetype",
  "plain",
  "html",
  "identifier",
  "server",
  "port",
  "username",
  "password",
  "tls",
  "description",
  "timeout",
  "enqueue_job",
  "smime",
  "dont_send_on_error",
  "private_key",
  "private_key_password",
  "certificate"
]

interface Word {
  readonly text: string
  readonly bytes: Uint8Array
}

const longest = Math.max(...words.map((word) => word.length))

/** Length and first byte tell most of them apart. */
const place = (length: number, first: number) => length * 128 + first

const byPlace: ReadonlyArray<ReadonlyArray<Word> | undefined> = (() => {
  const table: Array<Array<Word> | undefined> = []
  for (const text of words) {
    const at = place(text.length, text.charCodeAt(0))
    const others = table[at] ?? []
    others.push({ text, bytes: Buffer.from(text, "latin1") })
    table[at] = others
  }
  // Without holes, whose look-up is slow.
  return Array.from({ length: place(longest + 1, 0) }, (_, at) => table[at])
})()

const isAt = (word: Uint8Array, bytes: Uint8Array, start: number): boolean => {
  for (let index = 0; index < word.length; index++) if (word[index] !== bytes[start + index]) return false
  return true
}

/** The word that stands between two places of some bytes; nothing for another text. */
export const find = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  const length = end - start
  const first = bytes[start]
  if (length > longest || first === undefined || first > 127) return undefined
  const candidates = byPlace[place(length, first)]
  if (candidates === undefined) return undefined
  for (const word of candidates) if (isAt(word.bytes, bytes, start)) return word.text
  return undefined
}
