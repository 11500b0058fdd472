/**
 * Shortens personal data to what an operator needs to recognise a case.
 */

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
