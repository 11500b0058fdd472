/**
 * What the tests of an MFA server swap in: a queue in memory, and a mailer that sends nothing.
 */
export * as RecordingMailer from "./Mailer/Recording.ts"
export * as Memory from "./Memory.ts"
