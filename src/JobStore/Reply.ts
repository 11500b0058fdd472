/**
 * The answer of the script of the take loop.
 */
import * as Either from "effect/Either"
import { numbers } from "./custody.ts"

/** A row of a reply: numbers as numbers, all else as bytes. */
type Row = ReadonlyArray<unknown>

const rows = (value: unknown): ReadonlyArray<Row> | undefined =>
  Array.isArray(value) && value.every((row): row is Row => Array.isArray(row)) ? value : undefined

const text = (value: unknown): string => (value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : "")

/** A grant or a burial as the script answers it. */
interface Held {
  readonly id: string
  readonly token: string
  readonly deliveries: number
  readonly attempts: number
  readonly firstTakenAt: number
  readonly bytes: Uint8Array
}

const held = (row: Row): Held => ({
  id: text(row[0]),
  token: text(row[1]),
  deliveries: Number(row[2]),
  attempts: Number(row[3]),
  firstTakenAt: Number(row[4]),
  bytes: row[5] instanceof Uint8Array ? row[5] : new Uint8Array()
})

export interface Reply {
  readonly settled: ReadonlyArray<boolean>
  readonly grants: ReadonlyArray<Held>
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
  const [settled, grants, buried] = [numbers(reply[0]), rows(reply[1]), rows(reply[2])]
  const [duplicates, nextDue, now] = numbers(reply.slice(3)) ?? []
  if (
    settled === undefined ||
    grants === undefined ||
    buried === undefined ||
    duplicates === undefined ||
    nextDue === undefined ||
    now === undefined
  ) {
    return Either.left("not a list of settlements, grants, burials and three numbers")
  }
  return Either.right({
    settled: settled.map((flag) => flag === 1),
    grants: grants.map(held),
    buried: buried.map(held),
    duplicates,
    nextDueIn: nextDue < 0 ? undefined : nextDue,
    now
  })
}
