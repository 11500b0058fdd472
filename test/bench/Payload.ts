/**
 * What every side carries: eduMFA's mail of a one-time code, as its server puts it on the queue. Imports nothing, for the
 * peers' programs load it.
 */
/** The size of the message that eduMFA's huey writes for it, with its whole configuration of the mail server. */
export const messageBytes = 1_050

/** So that the message has its size. */
const bodyLength = 682

const text = "Hello Ada Lovelace,\n\nenter this code to log in: 493817. It is valid for two minutes.\n\n"

const body = text.repeat(Math.ceil(bodyLength / text.length)).slice(0, bodyLength)

/** The arguments of `smtpserver.send_email`; `port` is that of the mail server. */
export const args = (port: number) => ({
  config: {
    identifier: "mail",
    server: "127.0.0.1",
    // Five digits, so that the message has its size whatever the port.
    port,
    username: "",
    password: "",
    sender: "mfa@example.org",
    tls: false,
    description: "the mail server of the campus",
    timeout: 10,
    enqueue_job: true
  },
  recipient: "ada.lovelace@example.org",
  subject: "Your one-time password",
  body,
  sender: null,
  reply_to: null,
  mimetype: "plain"
})

export type Args = ReturnType<typeof args>

/** The same mail for nodemailer, with the headers that eduMFA sets. */
export const mail = ({ body: plain, config, recipient, subject }: Args) => ({
  from: config.sender,
  to: recipient,
  subject,
  text: plain,
  headers: { Precedence: "bulk", "Auto-Submitted": "auto-generated" }
})
