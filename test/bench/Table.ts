/**
 * The rows there are, in the order in which they run.
 */
import type { Row } from "./Row.ts"
import * as Enqueue from "./rows/Enqueue.ts"
import * as Mails from "./rows/Mails.ts"
import * as NoOp from "./rows/NoOp.ts"

export const rows: ReadonlyArray<Row> = [Enqueue.row, ...NoOp.rows, ...Mails.rows]
