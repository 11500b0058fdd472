/**
 * nodemailer's pool, for every side that sends with it.
 */
import { createTransport } from "nodemailer"

/** So many mails go over one connection, as ours and its own default. */
const maxMessages = 100

export const pool = (port: number, maxConnections: number) =>
  createTransport({ host: "127.0.0.1", port, secure: false, pool: true, maxConnections, maxMessages })
