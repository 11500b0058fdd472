/**
 * A mail server on 127.0.0.1 that does one thing wrong, once, at one stage of a session with STARTTLS and a login, and
 * is a good server before and after. It speaks over raw sockets, for a proper server cannot be made to do such things.
 */
import { readFileSync } from "node:fs"
import * as net from "node:net"
import { Duplex } from "node:stream"
import { setImmediate } from "node:timers/promises"
import * as tls from "node:tls"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SmtpServer } from "../../src/SmtpServer.ts"

/** In the order in which a session comes to them. */
export const stages = [
  "connect",
  "greeting",
  "EHLO",
  "STARTTLS",
  "TLS handshake",
  "AUTH",
  "MAIL",
  "RCPT",
  "DATA",
  "body",
  "dot",
  "RSET",
  "QUIT"
] as const

export type Stage = (typeof stages)[number]

/** `FIN` and `RST` end the connection; `trickle` is the good reply byte by byte; `endless` is one that never ends. */
export const faults = ["4yz", "5yz", "421", "hang", "FIN", "RST", "garbage", "trickle", "64 KiB", "endless"] as const

type Fault = (typeof faults)[number] | { readonly reply: string } | { readonly every: number }

/** A message whose final dot was seen. */
interface Mail {
  readonly from: string
  readonly recipients: ReadonlyArray<string>
  /** The bytes after DATA, dots as they were sent. */
  readonly raw: string
  /** Whether the server answered that it has it. */
  readonly kept: boolean
}

export interface Options {
  readonly stage?: Stage
  /** A fault of the list; lines to answer instead; or an endless reply with so many milliseconds between its lines. */
  readonly fault?: Fault
  /** The reply to RCPT; absent: 250. */
  readonly recipient?: (address: string) => string | undefined
  /** Whether it takes commands that do not wait for replies. Default: false. */
  readonly pipelining?: boolean
}

export interface ScriptedSmtp {
  /** Reaches this server with STARTTLS and a login. */
  readonly definition: SmtpServer
  /** Waits until the stage is reached. */
  readonly reached: Effect.Effect<void>
  /** What hangs is answered well from now on. */
  readonly release: Effect.Effect<void>
  readonly connections: () => number
  /** Connections that are open now. */
  readonly open: () => number
  /** Login commands so far. */
  readonly auths: () => number
  readonly mails: () => ReadonlyArray<Mail>
}

const pem = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")
const secrets = { key: pem("key.pem"), cert: pem("cert.pem") }

/** What a client sends, line by line or up to the final dot; undefined where it ends. */
class Input {
  private text = ""
  /** Its last octets: to look for them in the text would copy all of it each time. */
  private tail = ""
  private ended = false
  private wake = () => {}

  constructor(stream: Duplex) {
    const end = () => {
      this.ended = true
      this.wake()
    }
    stream.on("data", (data: Buffer) => {
      const more = data.toString("latin1")
      this.text += more
      this.tail = (this.tail + more).slice(-5)
      this.wake()
    })
    stream.on("end", end)
    stream.on("close", end)
    stream.on("error", end)
  }

  private async until(isEnough: () => boolean): Promise<boolean> {
    while (!isEnough()) {
      if (this.ended) return false
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return true
  }

  async line(): Promise<string | undefined> {
    if (!(await this.until(() => this.text.includes("\r\n")))) return undefined
    const end = this.text.indexOf("\r\n")
    const line = this.text.slice(0, end)
    this.text = this.text.slice(end + 2)
    return line
  }

  begun(): Promise<boolean> {
    return this.until(() => this.text.length > 0)
  }

  async message(): Promise<string | undefined> {
    if (!(await this.until(() => this.tail === "\r\n.\r\n"))) return undefined
    const message = this.text.slice(0, -3)
    this.text = ""
    this.tail = ""
    return message
  }
}

/** Hands bytes on one by one, each in a segment of its own; so many of them in one turn of the event loop. */
const byteByByte = async (stream: Duplex, bytes: Buffer, perTurn = 1): Promise<void> => {
  for (let index = 0; index < bytes.length && !stream.destroyed; index++) {
    stream.write(bytes.subarray(index, index + 1))
    if (index % perTurn === 0) await setImmediate()
  }
}

/** The socket under TLS, for a handshake that comes byte by byte; it has some thousands of them. */
const slowly = (socket: net.Socket): Duplex => {
  const stream = new Duplex({
    read: () => {
      socket.resume()
    },
    write: (chunk: Buffer, _encoding, callback) => {
      byteByByte(socket, chunk, 32).then(() => callback(), callback)
    },
    final: (callback) => {
      socket.end(callback)
    },
    destroy: (error, callback) => {
      socket.destroy()
      callback(error)
    }
  })
  socket.on("data", (data) => stream.push(data))
  socket.on("end", () => stream.push(null))
  socket.on("close", () => stream.destroy())
  return stream
}

/** Refusals as mail servers word them. */
const refusals: Readonly<Record<"4yz" | "5yz", Readonly<Partial<Record<Stage, string>>> & { readonly other: string }>> =
  {
    "4yz": { STARTTLS: "454 4.7.0 no TLS now", AUTH: "454 4.7.0 no login now", other: "451 4.3.0 try later" },
    "5yz": {
      STARTTLS: "502 5.5.1 no such command",
      AUTH: "535 5.7.8 no such login",
      RCPT: "550 5.1.1 no such mailbox",
      other: "554 5.0.0 no"
    }
  }

const unsafeMake = (options: Options) => {
  const { fault, pipelining = false, recipient = () => undefined, stage: wrongStage } = options
  const sockets = new Set<net.Socket>()
  const mails: Array<Mail> = []
  const reached = Deferred.unsafeMake<void>(FiberId.none)
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let connections = 0
  let auths = 0
  let wrongs = 0

  const isWrong = (stage: Stage) => stage === wrongStage && wrongs === 0

  const reach = () => {
    wrongs++
    Deferred.unsafeDone(reached, Effect.void)
  }

  /** Does the thing that is wrong; says with what code it answered, 0 where with none. */
  const play = async (stage: Stage, raw: net.Socket, stream: Duplex, good: string): Promise<number> => {
    reach()
    const code = good.slice(0, 3)
    const say = (text: string) => stream.write(`${text}\r\n`)
    if (typeof fault === "object") {
      if ("reply" in fault) {
        say(fault.reply)
        return Number(fault.reply.slice(0, 3))
      }
      while (!stream.destroyed) {
        say(`${code}-x`)
        await new Promise((resolve) => setTimeout(resolve, fault.every))
      }
      return 0
    }
    switch (fault) {
      case "4yz":
      case "5yz": {
        const words = refusals[fault][stage] ?? refusals[fault].other
        say(words)
        // Nothing goes on after a refused connection.
        if (stage === "connect" || stage === "greeting") stream.end()
        return Number(words.slice(0, 3))
      }
      case "421":
        stream.end("421 4.3.2 the service closes\r\n")
        return 421
      case "hang":
        await released
        say(good)
        return Number(code)
      case "FIN":
        raw.end()
        return 0
      case "RST":
        raw.resetAndDestroy()
        return 0
      case "garbage":
        stream.write("\u0000\u00fe \u0007 no reply at all\r\n")
        return 0
      case "trickle":
        await byteByByte(stream, Buffer.from(`${good}\r\n`))
        return Number(code)
      case "64 KiB":
        say(`${code} ${"x".repeat(64 * 1024)}`)
        return 0
      case "endless": {
        const lines = `${code}-x\r\n`.repeat(1_000)
        while (!stream.destroyed) {
          stream.write(lines)
          await setImmediate()
        }
        return 0
      }
      default:
        throw new Error("a stage without a fault")
    }
  }

  const serve = async (raw: net.Socket): Promise<void> => {
    let stream: Duplex = raw
    let input = new Input(raw)
    let isSecure = false
    let from = ""
    let recipients: Array<string> = []

    const answer = async (stage: Stage, good: string): Promise<number> => {
      if (isWrong(stage)) return play(stage, raw, stream, good)
      stream.write(`${good}\r\n`)
      return Number(good.slice(0, 3))
    }

    const secure = () => {
      raw.removeAllListeners("data")
      const isSlow = isWrong("TLS handshake")
      if (isSlow) reach()
      stream = new tls.TLSSocket(isSlow ? slowly(raw) : raw, { isServer: true, ...secrets })
      input = new Input(stream)
      isSecure = true
    }

    const receive = async (): Promise<boolean> => {
      if (isWrong("body")) {
        if (!(await input.begun())) return false
        stream.pause()
        if (fault === "trickle") {
          // The good reply to a body is to read on: here by and by.
          reach()
          const pieces = setInterval(() => stream.resume(), 1)
          stream.on("data", () => stream.pause())
          stream.on("close", () => clearInterval(pieces))
        } else if (fault === "hang") {
          reach()
          await released
          stream.resume()
        } else {
          await play("body", raw, stream, "250 2.0.0 queued")
          stream.resume()
        }
      }
      const message = await input.message()
      if (message === undefined) return false
      // Kept from the dot on: what is said about it may be lost on the way.
      const index = mails.push({ from, recipients, raw: message, kept: true }) - 1
      const code = await answer("dot", "250 2.0.0 queued")
      if (code >= 400) mails[index] = { from, recipients, raw: message, kept: false }
      recipients = []
      return true
    }

    if (isWrong("connect")) await play("connect", raw, stream, "220 mail.example.org ESMTP")
    else await answer("greeting", "220 mail.example.org ESMTP")
    for (;;) {
      const line = await input.line()
      if (line === undefined) return
      const [verb = ""] = line.toUpperCase().split(" ", 1)
      const [, address = ""] = /<([^>]*)>/.exec(line) ?? []
      if (verb === "EHLO") {
        const extensions = [...(pipelining ? ["PIPELINING"] : []), "8BITMIME", isSecure ? "AUTH PLAIN" : "STARTTLS"]
        const lines = ["mail.example.org", ...extensions]
        const reply = lines.map((words, index) => `250${index < lines.length - 1 ? "-" : " "}${words}`).join("\r\n")
        await answer("EHLO", reply)
      } else if (verb === "STARTTLS") {
        const code = await answer("STARTTLS", "220 2.0.0 go ahead")
        if (code !== 220) continue
        if (isWrong("TLS handshake") && fault === "hang") {
          raw.removeAllListeners("data")
          raw.pause()
          reach()
          await released
        } else if (isWrong("TLS handshake") && fault !== "trickle") {
          if (!(await input.begun())) return
          await play("TLS handshake", raw, raw, "220 2.0.0 go ahead")
          continue
        }
        secure()
      } else if (verb === "AUTH") {
        auths++
        await answer("AUTH", "235 2.7.0 welcome")
      } else if (verb === "MAIL") {
        from = address
        recipients = []
        await answer("MAIL", "250 2.1.0 ok")
      } else if (verb === "RCPT") {
        const reply = recipient(address) ?? "250 2.1.5 ok"
        const code = await answer("RCPT", reply)
        if (code < 300) recipients.push(address)
      } else if (verb === "DATA") {
        if (recipients.length === 0) {
          stream.write("503 5.5.1 no recipients\r\n")
          continue
        }
        const code = await answer("DATA", "354 go ahead")
        if (code === 354 && !(await receive())) return
      } else if (verb === "RSET") {
        await answer("RSET", "250 2.0.0 ok")
      } else if (verb === "QUIT") {
        await answer("QUIT", "221 2.0.0 bye")
        if (wrongStage !== "QUIT") stream.end()
      } else {
        stream.write("500 5.5.2 what?\r\n")
      }
    }
  }

  const server = net.createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on("error", () => socket.destroy())
    socket.on("close", () => sockets.delete(socket))
    // What is thrown is a mistake of this file: the client sees a connection that ends.
    serve(socket).catch(() => socket.destroy())
  })
  const close = () => {
    release()
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { server, close, reached, release, sockets, mails, connections: () => connections, auths: () => auths }
}

export const make = (options: Options = {}): Effect.Effect<ScriptedSmtp, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<ScriptedSmtp & { readonly close: () => void }>((resume) => {
      const { auths, close, connections, mails, reached, release, server, sockets } = unsafeMake(options)
      server.listen(0, "127.0.0.1", () => {
        const at = server.address()
        const definition: SmtpServer = {
          identifier: "scripted",
          host: "127.0.0.1",
          port: typeof at === "object" && at !== null ? at.port : 0,
          tls: "StartTls",
          username: "mfa",
          password: Redacted.make("mail-password"),
          sender: "eduMFA <mfa@example.org>",
          timeout: 5_000,
          enqueueJob: true
        }
        resume(
          Effect.succeed({
            definition,
            reached: Deferred.await(reached),
            release: Effect.sync(release),
            connections,
            open: () => sockets.size,
            auths,
            mails: () => [...mails],
            close
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )
