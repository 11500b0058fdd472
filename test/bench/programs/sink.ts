/**
 * A fast mail server on loopback that takes every mail: PIPELINING, one wait for all replies to what came at once. Tells
 * its parent the port, and when the mails it is to expect have come, by its own clock. Ends with its parent.
 */
import { createServer, type Socket } from "node:net"
import { now } from "./Program.ts"

const [delay = 0, expected = 0] = process.argv.slice(2).map(Number)
let first = Number.NaN
let mails = 0
let connections = 0

const replies: Readonly<Record<string, string>> = {
  EHLO: "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
  HELO: "250 sink\r\n",
  MAIL: "250 ok\r\n",
  RCPT: "250 ok\r\n",
  DATA: "354 go on\r\n",
  RSET: "250 ok\r\n",
  NOOP: "250 ok\r\n",
  QUIT: "221 bye\r\n"
}

const onMail = () => {
  mails += 1
  if (mails === expected) process.send?.({ report: { first, last: now(), connections } })
}

const serve = (socket: Socket) => {
  if (connections++ === 0) first = now()
  let text = ""
  let inData = false
  const reply = (lines: string) => {
    if (lines === "") return
    const write = () => (lines.endsWith("221 bye\r\n") ? socket.end(lines) : socket.write(lines))
    if (delay === 0) write()
    else setTimeout(write, delay)
  }
  socket.setNoDelay(true)
  socket.setEncoding("latin1")
  socket.on("error", () => {})
  socket.on("data", (chunk: string) => {
    text += chunk
    let lines = ""
    for (;;) {
      const ending = inData ? "\r\n.\r\n" : "\r\n"
      const end = text.indexOf(ending)
      if (end === -1) break
      const verb = inData ? "" : text.slice(0, 4).toUpperCase()
      text = text.slice(end + ending.length)
      if (inData) onMail()
      lines += inData ? "250 kept\r\n" : (replies[verb] ?? "502 what?\r\n")
      inData = verb === "DATA"
    }
    reply(lines)
  })
  reply("220 sink\r\n")
}

const server = createServer(serve)
process.on("disconnect", () => process.exit(0))
// An interrupt from a terminal goes to the whole group; the parent decides when it is over.
process.on("SIGINT", () => {})
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" ? address?.port : undefined })
})
