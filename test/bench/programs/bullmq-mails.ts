/**
 * BullMQ: a worker that sends the mails of its jobs over nodemailer's pool.
 */
import { Worker } from "bullmq"
import * as Payload from "../Payload.ts"
import * as Program from "./Program.ts"
import { pool } from "./transport.ts"

const { connections, redisPort, slots, smtpPort } = Program.options<Program.MailsOptions>()

const transport = pool(smtpPort, connections)
const worker = new Worker<Payload.Args>(
  "bench",
  async ({ data }) => void (await transport.sendMail(Payload.mail(data))),
  {
    connection: { host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null },
    concurrency: slots
  }
)
worker.on("error", (error) => process.stderr.write(`${error.message}\n`))
