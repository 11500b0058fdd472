/**
 * The rows there are, in the order in which they run: those with bars first.
 */
import type { Row } from "./Row.ts"
import * as Aof from "./rows/Aof.ts"
import * as Backlog from "./rows/Backlog.ts"
import * as Enqueue from "./rows/Enqueue.ts"
import * as Idle from "./rows/Idle.ts"
import * as Latency from "./rows/Latency.ts"
import * as Logins from "./rows/Logins.ts"
import * as Mails from "./rows/Mails.ts"
import * as NoOp from "./rows/NoOp.ts"
import * as RedisMemory from "./rows/RedisMemory.ts"
import * as Start from "./rows/Start.ts"

export const rows: ReadonlyArray<Row> = [
  Enqueue.row,
  ...NoOp.rows,
  ...Mails.rows,
  Latency.row,
  Start.row,
  Idle.row,
  ...Backlog.rows,
  ...NoOp.moreRows,
  RedisMemory.row,
  Aof.row,
  Logins.row
]
