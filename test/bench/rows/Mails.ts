/**
 * Mails to a mail server on loopback, by its own clock: from the first connection to the last mail.
 */
import * as Effect from "effect/Effect"
import { compare, type Row, type Side } from "../Row.ts"
import * as Sending from "../Sending.ts"
import * as Stage from "../Stage.ts"

/** What is the same for all sides of a row. */
interface Options extends Omit<Sending.Options, "count"> {
  readonly counts: Readonly<Record<Stage.Size, number>>
}

const side = (name: string, sender: Sending.Sender, { counts, ...options }: Options): Side => ({
  name,
  run: Effect.gen(function* () {
    const count = yield* Stage.count(counts)
    const { connections, first, last } = yield* sender({ ...options, count })
    return { rate: (1_000 * count) / (last - first), connections }
  })
})

/** Ten connections, and enough mails in hand that one waits for each. */
const ten = { slots: 50, connections: 10 }

const fast: Options = { ...ten, delay: 0, counts: { Full: 5_000, Quick: 1_500, Tiny: 30 } }
const slow: Options = { ...ten, delay: 20, counts: { Full: 1_500, Quick: 500, Tiny: 30 } }
const eight: Options = { ...slow, slots: 8, connections: 8 }

export const rows: ReadonlyArray<Row> = [
  {
    name: "mails",
    title: "mails, no delay, 10 connections",
    sides: [
      side("ours", Sending.ours, fast),
      side("BullMQ + nodemailer pool", Sending.bullmq, fast),
      side("bare nodemailer pool", Sending.bare, fast)
    ],
    comparisons: [
      compare("throughput", "rate", ["ours", "BullMQ + nodemailer pool"], { better: "higher", bar: 1.3, aim: 1.6 }),
      compare("throughput", "rate", ["ours", "bare nodemailer pool"], { better: "higher", bar: 0.8, aim: 0.95 })
    ]
  },
  {
    name: "mails-20ms",
    title: "mails, 20 ms a reply, 10 connections",
    sides: [side("ours", Sending.ours, slow), side("bare nodemailer pool", Sending.bare, slow)],
    comparisons: [
      compare("throughput", "rate", ["ours", "bare nodemailer pool"], { better: "higher", bar: 0.95, aim: 1 })
    ]
  },
  {
    name: "mails-w8",
    title: "mails, 20 ms a reply, -w 8",
    sides: [side("ours", Sending.ours, eight), side("bare nodemailer pool of 8", Sending.bare, eight)],
    comparisons: [compare("throughput", "rate", ["ours", "bare nodemailer pool of 8"], { better: "higher" })]
  }
]
