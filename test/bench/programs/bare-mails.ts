/**
 * The limit: nodemailer's pool without any queue.
 */
import { createTransport } from "nodemailer"
import * as Payload from "../Payload.ts"
import * as Program from "./Program.ts"

const { connections, count, slots, smtpPort } = Program.options<Program.MailsOptions>()

const transport = createTransport({
  host: "127.0.0.1",
  port: smtpPort,
  secure: false,
  pool: true,
  maxConnections: connections,
  maxMessages: 100
})
const args = Payload.args(smtpPort)
let left = count
const send = async () => {
  while (left-- > 0) await transport.sendMail(Payload.mail(args))
}
await Promise.all(Array.from({ length: slots }, send))
transport.close()
