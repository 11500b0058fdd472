/**
 * The job queue of an MFA server: what a server imports. Each module is a namespace; what a test swaps in is in
 * `edumfa-queue/testing`.
 */

export * as EncKey from "./EdumfaConfig/EncKey.ts"
export * as EdumfaConfig from "./EdumfaConfig.ts"
export * as Huey from "./Huey.ts"
export * as Job from "./Job.ts"
export * as ConfiguredQueue from "./JobQueue/Configured.ts"
export * as NoneQueue from "./JobQueue/None.ts"
export * as RedisQueue from "./JobQueue/Redis.ts"
export * as JobQueue from "./JobQueue.ts"
export * as ConfiguredStore from "./JobStore/Configured.ts"
export * as RedisStore from "./JobStore/Redis.ts"
export * as JobStore from "./JobStore.ts"
export * as ConfiguredMailer from "./Mailer/Configured.ts"
export * as SmtpMailer from "./Mailer/Smtp.ts"
export * as Mailer from "./Mailer.ts"
export * as Metrics from "./Metrics.ts"
export * as QueueLogger from "./QueueLogger.ts"
export * as Redis from "./Redis.ts"
export * as RetryPolicy from "./RetryPolicy.ts"
export * as SendEmail from "./SendEmail.ts"
export * as SmtpServer from "./SmtpServer.ts"
export * as StopSignal from "./StopSignal.ts"
export * as Worker from "./Worker.ts"
