/**
 * A mail server on loopback that understands no more than it must, believes nothing and keeps every byte: what it was
 * told before TLS, every command as it came, and each mail as envelope and bytes.
 */
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A mail after its final dot. */
export interface Mail {
  /** The commands of its transaction, from MAIL to DATA, as they came, without CRLF. */
  readonly commands: ReadonlyArray<string>
  /** Between DATA and the final dot, the dots doubled on the wire taken away; one character an octet. */
  readonly data: string
  readonly secure: boolean
}

export interface Options {
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Lines of the EHLO reply after the first. */
  readonly extensions?: ReadonlyArray<string>
  /** What is answered to a command, or to the connection (""), instead of what is usual; null: nothing, ever. */
  readonly answer?: (command: string) => string | null | undefined
  /** What is answered to the final dot instead of 250. */
  readonly answerDot?: (mail: Mail) => string | undefined
  /** What is answered to the last word of a login, which comes decoded. Default: accepted. */
  readonly answerLogin?: (mechanism: string, response: string) => string | undefined
  /** Absent: no TLS. */
  readonly tls?: tls.SecureContextOptions & {
    readonly mode: "StartTls" | "Implicit"
    /** Sent in clear in the same packet as the answer to STARTTLS. */
    readonly injected?: string
  }
}

export interface RawServer {
  readonly port: number
  readonly mails: ReadonlyArray<Mail>
  /** Bytes that came outside TLS, one string a connection. */
  readonly clear: ReadonlyArray<string>
  /** Mechanisms of the logins begun. */
  readonly logins: ReadonlyArray<string>
  /** All commands, as they came, without CRLF. */
  readonly commands: ReadonlyArray<string>
}

const decode = (text: string) => Buffer.from(text, "base64").toString()

/** What the dialogue does not tell by its own state: set while a login waits for its next line. */
type Waiting = { readonly mechanism: string; readonly said: ReadonlyArray<string> } | undefined

const challenge = Buffer.from("<1896.697170952@mail.example.org>").toString("base64")

export const make = (options: Options = {}): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const mails: Array<Mail> = []
    const clear: Array<string> = []
    const logins: Array<string> = []
    const commands: Array<string> = []
    const sockets = new Set<net.Socket>()

    const talk = (raw: net.Socket) => {
      const index = clear.push("") - 1
      let transaction: Array<string> = []
      let buffer = ""
      let inData = false
      let waiting: Waiting
      let socket: net.Socket = raw
      const isSecure = () => socket !== raw
      const say = (reply: string) => socket.write(`${reply}\r\n`)
      const login = (mechanism: string, response: string) => {
        waiting = undefined
        say(options.answerLogin?.(mechanism, response) ?? "235 2.7.0 welcome")
      }
      const auth = ({ mechanism, said }: NonNullable<Waiting>) => {
        const last = said.at(-1)
        if (last !== undefined && (mechanism !== "LOGIN" || said.length === 2)) return login(mechanism, decode(last))
        waiting = { mechanism, said }
        say(`334 ${mechanism === "CRAM-MD5" ? challenge : Buffer.from("Password:").toString("base64")}`)
      }
      const secure = () => {
        raw.removeAllListeners("data")
        const { mode: _, injected: __, ...context } = options.tls ?? { mode: "StartTls" }
        socket = new tls.TLSSocket(raw, { isServer: true, secureContext: tls.createSecureContext(context) })
        // Not cut: the alert that says why must get to the client.
        socket.on("error", () => raw.end())
        listen()
      }
      const command = (line: string) => {
        commands.push(line)
        if (waiting !== undefined) return auth({ ...waiting, said: [...waiting.said, line] })
        const [verb = "", ...words] = line.split(" ")
        const scripted = options.answer?.(line)
        if (scripted === null) return
        if (scripted !== undefined) return say(scripted)
        switch (verb.toUpperCase()) {
          case "EHLO": {
            const startTls = options.tls?.mode === "StartTls" && !isSecure() ? ["STARTTLS"] : []
            const lines = ["mail.example.org", ...(options.extensions ?? []), ...startTls]
            return say(lines.map((it, at) => `250${at === lines.length - 1 ? " " : "-"}${it}`).join("\r\n"))
          }
          case "STARTTLS":
            if (options.tls === undefined) return say("502 5.5.1 unknown")
            raw.write(`220 2.0.0 go ahead\r\n${options.tls.injected ?? ""}`)
            return secure()
          case "AUTH": {
            const [mechanism = "", first] = words
            logins.push(mechanism)
            return auth({ mechanism, said: first === undefined ? [] : [first] })
          }
          case "MAIL":
            transaction = [line]
            return say("250 2.1.0 ok")
          case "RCPT":
            transaction.push(line)
            return say("250 2.1.5 ok")
          case "DATA":
            transaction.push(line)
            inData = true
            return say("354 go on")
          case "RSET":
            return say("250 2.0.0 ok")
          case "QUIT":
            socket.end("221 2.0.0 bye\r\n")
            return
          default:
            return say("500 5.5.2 unknown")
        }
      }
      const read = () => {
        for (;;) {
          const end = inData ? "\r\n.\r\n" : "\r\n"
          // An empty message has its dot right after DATA.
          const at = inData && buffer.startsWith(".\r\n") ? -2 : buffer.indexOf(end)
          if (at === -1) return
          const text = buffer.slice(0, Math.max(0, at))
          buffer = buffer.slice(at + end.length)
          if (!inData) {
            command(text)
            continue
          }
          inData = false
          const data = `${text}\r\n`.replaceAll(/(^|\r\n)\.\./g, "$1.")
          const mail = { commands: transaction, data, secure: isSecure() }
          mails.push(mail)
          say(options.answerDot?.(mail) ?? "250 2.0.0 taken")
        }
      }
      const listen = () => {
        socket.on("data", (chunk: Buffer) => {
          if (!isSecure()) clear[index] += chunk.toString("latin1")
          buffer += chunk.toString("latin1")
          read()
        })
      }
      sockets.add(raw)
      raw.on("error", () => raw.destroy())
      raw.on("close", () => sockets.delete(raw))
      const greet = () => say(options.answer?.("") ?? "220 mail.example.org")
      if (options.tls?.mode !== "Implicit") {
        listen()
        greet()
      } else {
        secure()
        // What is written before would keep the alert of a failed handshake back.
        socket.once("secure", greet)
      }
    }

    const server = yield* Effect.acquireRelease(
      Effect.async<net.Server>((resume) => {
        const listener: net.Server = net
          .createServer(talk)
          .listen(0, options.host ?? "127.0.0.1", () => resume(Effect.succeed(listener)))
      }),
      (listener) =>
        Effect.async<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          listener.close(() => resume(Effect.void))
        })
    )
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    return { port, mails, clear, logins, commands }
  })
