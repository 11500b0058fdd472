/**
 * Text as octets on the wire: in single passes over them, since a pattern costs as much for a line break as for a line.
 */

/** Octets in lines. */
export interface Lines {
  /** Each line break is CRLF. */
  readonly octets: Buffer
  /** Octets of the longest line, without CRLF. */
  readonly longest: number
}

/** RFC 5322 2.1.1, without CRLF. A longer line may be cut by any server on the way, and then means something else. */
export const maxLine = 998

export const CR = 0x0d
export const LF = 0x0a

const expand = (octets: Uint8Array, breaks: number): Buffer => {
  const expanded = Buffer.allocUnsafe(octets.length + breaks)
  let position = 0
  for (let index = 0; index < octets.length; index++) {
    const octet = octets[index] ?? 0
    if (octet === LF || octet === CR) {
      expanded[position++] = CR
      expanded[position++] = LF
      if (octet === CR && octets[index + 1] === LF) index++
    } else {
      expanded[position++] = octet
    }
  }
  return expanded
}

/** Octets with CRLF, LF or CR as the end of a line. */
export const ofOctets = (octets: Uint8Array): Lines => {
  let halves = 0
  let longest = 0
  let start = 0
  for (let index = 0; index < octets.length; index++) {
    const octet = octets[index]
    if (octet !== LF && octet !== CR) continue
    longest = Math.max(longest, index - start)
    if (octet === CR && octets[index + 1] === LF) index++
    else halves++
    start = index + 1
  }
  longest = Math.max(longest, octets.length - start)
  return { octets: halves === 0 ? Buffer.from(octets) : expand(octets, halves), longest }
}

/** Reads CRLF, LF and CR as the end of a line; nothing for text that holds more than ASCII, or NUL. */
export const read = (text: string): Lines | undefined => {
  const octets = Buffer.from(text)
  return octets.length !== text.length || octets.includes(0) ? undefined : ofOctets(octets)
}

/** Whether every server takes them. */
export const isSendable = (lines: Lines | undefined): lines is Lines => lines !== undefined && lines.longest <= maxLine

/** Without blanks and line breaks. */
export const withoutBlanks = ({ octets }: Lines): string => {
  const kept = Buffer.allocUnsafe(octets.length)
  let length = 0
  for (let index = 0; index < octets.length; index++) {
    const octet = octets[index] ?? 0
    if (octet !== 0x20 && (octet < 0x09 || octet > CR)) kept[length++] = octet
  }
  return kept.toString("latin1", 0, length)
}
