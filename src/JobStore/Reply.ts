/**
 * The answer of the script of the take loop.
 */
import * as Either from "effect/Either"
import type { Grant } from "../JobStore.ts"
import { numbers } from "./custody.ts"

/** A row of a reply: numbers as numbers, all else as bytes. */
type Row = ReadonlyArray<unknown>

const rows = (value: unknown): ReadonlyArray<Row> | undefined =>
  Array.isArray(value) && value.every((row): row is Row => Array.isArray(row)) ? value : undefined

const text = (value: unknown): string | undefined => (Buffer.isBuffer(value) ? value.toString("latin1") : undefined)

/** A burial as the script answers it. */
interface Held {
  readonly id: string
  readonly token: string
  readonly deliveries: number
  readonly attempts: number
  readonly firstTakenAt: number
  readonly bytes: Uint8Array
}

const buriedRow = (row: Row): Held => ({
  id: text(row[0]) ?? "",
  token: text(row[1]) ?? "",
  deliveries: Number(row[2]),
  attempts: Number(row[3]),
  firstTakenAt: Number(row[4]),
  bytes: row[5] instanceof Uint8Array ? row[5] : new Uint8Array()
})

/** Grants: of each a line `id token deliveries attempts firstTakenAt` in one text, and its message. */
const granted = (text: string | undefined, bodies: unknown): ReadonlyArray<Grant> | undefined => {
  const heads = text === undefined || text === "" ? [] : text.split("\n")
  if (text === undefined || !Array.isArray(bodies) || bodies.length !== heads.length) return undefined
  const grants: Array<Grant> = []
  for (const [index, head] of heads.entries()) {
    const bytes: unknown = bodies[index]
    const [id, token, deliveries, attempts, firstTakenAt] = head.split(" ")
    if (!(bytes instanceof Uint8Array) || id === undefined || token === undefined) return undefined
    const numbers = { deliveries: Number(deliveries), attempts: Number(attempts), firstTakenAt: Number(firstTakenAt) }
    if (Number.isNaN(numbers.deliveries + numbers.attempts + numbers.firstTakenAt)) return undefined
    grants.push({ lease: { id, token }, ...numbers, bytes })
  }
  return grants
}

export interface Reply {
  readonly settled: ReadonlyArray<boolean>
  readonly grants: ReadonlyArray<Grant>
  readonly buried: ReadonlyArray<Held>
  readonly duplicates: number
  readonly nextDueIn: number | undefined
  readonly now: number
}

/** Reads an answer, which is a time and no more where there is no work; or says what is wrong with it. */
export const decode = (reply: unknown): Either.Either<Reply, string> => {
  if (typeof reply === "number") {
    return Either.right({ settled: [], grants: [], buried: [], duplicates: 0, nextDueIn: undefined, now: reply })
  }
  if (!Array.isArray(reply)) return Either.left("not a list")
  const [count, tooLate, heads, bodies, graves]: ReadonlyArray<unknown> = reply
  const [late, grants, buried] = [numbers(tooLate), granted(text(heads), bodies), rows(graves)]
  const [duplicates, nextDue, now] = numbers(reply.slice(5)) ?? []
  if (
    typeof count !== "number" ||
    late === undefined ||
    grants === undefined ||
    buried === undefined ||
    duplicates === undefined ||
    nextDue === undefined ||
    now === undefined
  ) {
    return Either.left("not a list of settlements, grants, burials and three numbers")
  }
  const settled = new Array<boolean>(count).fill(true)
  for (const place of late) settled[place - 1] = false
  return Either.right({
    settled,
    grants,
    buried: buried.map(buriedRow),
    duplicates,
    nextDueIn: nextDue < 0 ? undefined : nextDue,
    now
  })
}
