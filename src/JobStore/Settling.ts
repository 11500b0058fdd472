/**
 * Settlements as arguments of the script of the take loop, which reads as many of each.
 */
import type { Settlement } from "../JobStore.ts"
import { escaped } from "../QueueLogger/Line.ts"
import type { Argument } from "../Redis/Script.ts"

/** How many arguments a settlement takes: kind, id, token and four that depend on the kind. */
export const width = 7

/**
 * The arguments of a settlement. `scheduleOffset`: seconds from the Unix time of a scheduled job to its score, at a time in
 * milliseconds.
 */
export const encode = (settlement: Settlement, scheduleOffset: (time: number) => number): ReadonlyArray<Argument> => {
  const { id, token } = settlement.lease
  switch (settlement._tag) {
    case "Done":
      return ["D", id, token, "", "", "", ""]
    case "Retry": {
      const { bytes = "", counted, delay, detail = "" } = settlement
      return ["R", id, token, Math.ceil(delay), counted ? 1 : 0, bytes, escaped(detail)]
    }
    case "Scheduled": {
      const { dueAt } = settlement
      return ["S", id, token, (dueAt / 1_000 + scheduleOffset(dueAt)).toFixed(3), dueAt, "", ""]
    }
    case "Dead":
      return ["X", id, token, JSON.stringify(settlement.letter), "", "", ""]
    case "Released":
      return ["L", id, token, "", "", "", ""]
  }
}
