/**
 * One SMTP connection of the chaotic mail server: as little of RFC 5321 as a client needs, pipelining included, and no
 * wait of its own.
 */
import type { Socket } from "node:net"
import type { Fate } from "./fates.ts"
import type { Records } from "./Records.ts"

/** A client that sends more without a line end is none of ours. */
const maxPending = 4 * 1024 * 1024

const ehlo = "250-chaos.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10485760\r\n"

interface Transaction {
  readonly job: number
  readonly fate: Fate
}

/** Speaks with one client; a hang after the final dot ends after `hangMillis`, one before it when the client goes. */
export const serve = (socket: Socket, records: Records, hangMillis: number): void => {
  let pending = ""
  let transaction: Transaction | undefined
  let inData = false
  let isSilent = false
  /** What ends the connection once all replies are written. */
  let leave: (() => void) | undefined
  records.connections += 1
  socket.setNoDelay(true)
  socket.setEncoding("latin1")
  // A client that was killed: its mail is written down, or it never ended.
  socket.on("error", () => socket.destroy())

  const recipient = (line: string): string => {
    const begun = records.begin(/<([^>]*)>/.exec(line)?.[1] ?? line)
    if (begun === undefined) return "550 5.1.1 nobody here\r\n"
    if (transaction !== undefined) records.strange(`a mail to job ${transaction.job} and job ${begun.job}`)
    switch (begun.fate) {
      case "Defer":
        return "451 4.3.2 not now\r\n"
      case "Refuse":
        return "550 5.1.1 nobody here\r\n"
      case "HangBefore":
        isSilent = true
        return ""
      default:
        transaction = begun
        return "250 2.1.5 ok\r\n"
    }
  }

  const message = (text: string): string => {
    const ended = transaction
    transaction = undefined
    inData = false
    if (ended === undefined) return "503 5.5.1 no recipient\r\n"
    const header = text.slice(0, text.indexOf("\r\n\r\n"))
    if (ended.fate !== "HangLost") records.keep(ended.job, header, ended.fate === "Accept")
    if (ended.fate === "Accept") return "250 2.0.0 kept\r\n"
    isSilent = true
    if (ended.fate === "Cut") {
      leave = () => socket.destroySoon()
    } else {
      const timer = setTimeout(() => socket.destroy(), hangMillis)
      socket.once("close", () => clearTimeout(timer))
    }
    return ""
  }

  const command = (line: string): string => {
    switch (line.slice(0, 4).toUpperCase()) {
      case "EHLO":
        return ehlo
      case "RCPT":
        return recipient(line)
      case "DATA":
        if (transaction === undefined) return "503 5.5.1 no recipient\r\n"
        inData = true
        return "354 go on\r\n"
      case "MAIL":
      case "RSET":
        transaction = undefined
        return "250 2.0.0 ok\r\n"
      case "QUIT":
        isSilent = true
        leave = () => socket.end()
        return "221 2.0.0 bye\r\n"
      case "NOOP":
      case "HELO":
        return "250 2.0.0 ok\r\n"
      default:
        return "500 5.5.2 unknown\r\n"
    }
  }

  /** What can be answered of what has come; the rest waits for more. */
  const answer = (): string => {
    let reply = ""
    while (!isSilent) {
      const end = pending.indexOf(inData ? "\r\n.\r\n" : "\r\n")
      if (end < 0) break
      const text = pending.slice(0, end)
      pending = pending.slice(end + (inData ? 5 : 2))
      reply += inData ? message(text) : command(text)
    }
    return reply
  }

  socket.on("data", (chunk: string) => {
    if (isSilent) return
    pending += chunk
    if (pending.length > maxPending) socket.destroy()
    const reply = answer()
    if (reply !== "" && socket.writable) socket.write(reply)
    leave?.()
  })
  socket.write("220 chaos.example ESMTP\r\n")
}
