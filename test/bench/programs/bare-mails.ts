/**
 * The limit: nodemailer's pool without any queue.
 */
import * as Payload from "../Payload.ts"
import * as Program from "./Program.ts"
import { pool } from "./transport.ts"

const { connections, count, slots, smtpPort } = Program.options<Program.MailsOptions>()

const transport = pool(smtpPort, connections)
const args = Payload.args(smtpPort)
let left = count
const send = async () => {
  while (left-- > 0) await transport.sendMail(Payload.mail(args))
}
await Promise.all(Array.from({ length: slots }, send))
transport.close()
