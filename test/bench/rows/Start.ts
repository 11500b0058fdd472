/**
 * From the start of a worker's process to its first job done: one mail waits, and the mail server says when it has it.
 */
import * as Effect from "effect/Effect"
import { compare, type Row, type Side } from "../Row.ts"
import * as Sending from "../Sending.ts"

const side = (name: string, sender: Sending.Sender): Side => ({
  name,
  run: Effect.map(sender({ count: 1, delay: 0, slots: 8, connections: 8 }), ({ last, started }) => ({
    start: last - started
  }))
})

export const row: Row = {
  name: "start",
  title: "start of the process to first mail sent",
  sides: [side("ours", Sending.ours), side("BullMQ + nodemailer pool", Sending.bullmq)],
  comparisons: [
    compare("start", "start", ["ours", "BullMQ + nodemailer pool"], { better: "lower", bar: 1.6, aim: 1.2 })
  ]
}
