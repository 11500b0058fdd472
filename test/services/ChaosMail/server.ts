/**
 * The process of the chaotic mail server: listens on loopback, tells its parent the port and how far it is, and reports
 * all it knows when it is asked. Ends with its parent.
 */
import { createServer } from "node:net"
import { Records } from "./Records.ts"
import { serve } from "./Session.ts"

/** Milliseconds between two messages of how far it is. */
const tellEvery = 100

const [seed = 0, capacity = 0, hangMillis = 0] = process.argv.slice(2).map(Number)
const records = new Records(seed, capacity)
const server = createServer((socket) => serve(socket, records, hangMillis))

process.on("disconnect", () => process.exit(0))
process.on("message", () => process.send?.({ report: records.report() }))
// An interrupt from a terminal goes to the whole group; the parent decides when it is over.
process.on("SIGINT", () => {})
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" ? address?.port : undefined })
  setInterval(() => process.send?.({ stats: records.stats() }), tellEvery)
})
