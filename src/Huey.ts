/**
 * The message codec: jobs as the bytes that Python's huey writes and runs, in both directions.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Compression from "./Huey/Compression.ts"
import { HueyError, type HueyReason } from "./Huey/HueyError.ts"
import { limits } from "./Huey/limits.ts"
import * as HueyMessage from "./Huey/Message.ts"
import * as PickleReader from "./Huey/PickleReader.ts"
import * as PickleWriter from "./Huey/PickleWriter.ts"
import * as Signature from "./Huey/Signature.ts"
import * as TimeZone from "./Huey/TimeZone.ts"

/** A job on the wire. */
export interface Message extends HueyMessage.Message {}

export { HueyError, type HueyReason }

/** Reads and writes messages; both are pure, synchronous and linear in the message's size. */
export interface Codec {
  readonly decode: (bytes: Uint8Array) => Either.Either<Message, HueyError>
  readonly encode: (message: Message) => Either.Either<Uint8Array, HueyError>
}

/** How the messages of a queue are written; the same for all its producers and workers, as in huey's `RedisHuey`. */
export interface Options {
  /** Whether messages are written packed; reading takes either. Default false. */
  readonly compression?: boolean
  /** Pack with zlib instead of gzip. Default false. */
  readonly useZlib?: boolean
  /** Whether eta and expiry are UTC; otherwise they are local times. Default true. */
  readonly utc?: boolean
  /** Where those local times are read and written. Default: the zone of this process. */
  readonly timeZone?: TimeZone.TimeZone
  /** Sign what is written and read only what is signed, as huey's `SignedSerializer`. Default: neither. */
  readonly signing?: Signature.Signing
}

const secretKey = "EDUMFA_QUEUE_WORKER_SIGNING_SECRET"

/** EDUMFA_JOB_QUEUE_COMPRESSION, _USE_ZLIB and _UTC; EDUMFA_QUEUE_WORKER_SIGNING_SECRET, _SALT and _TIME_ZONE. */
export const config: Config.Config<Options> = Config.all({
  compression: Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_COMPRESSION"), false),
  useZlib: Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_USE_ZLIB"), false),
  utc: Config.withDefault(Config.boolean("EDUMFA_JOB_QUEUE_UTC"), true),
  timeZone: TimeZone.config,
  // Empty ones would sign with nothing: huey refuses them as well.
  secret: Config.redacted(secretKey).pipe(
    // Config.validate does not tell the key of a redacted value.
    Config.mapOrFail((secret) =>
      Redacted.value(secret) === ""
        ? Either.left(ConfigError.InvalidData([secretKey], "expected a secret"))
        : Either.right(secret)
    ),
    Config.option
  ),
  salt: Config.string("EDUMFA_QUEUE_WORKER_SIGNING_SALT").pipe(
    Config.validate({ message: "expected a salt", validation: (salt) => salt !== "" }),
    Config.withDefault("huey")
  )
}).pipe(
  Config.map(({ secret, salt, ...options }) => ({
    ...options,
    ...Option.match(secret, { onNone: () => ({}), onSome: (secret) => ({ signing: { secret, salt } }) })
  }))
)

/** The refusals that reading and writing throw, and nothing else they might: that would be a mistake of ours. */
const attempt = <A>(act: () => A): Either.Either<A, HueyError> => {
  try {
    return Either.right(act())
  } catch (cause) {
    if (cause instanceof HueyError) return Either.left(cause)
    throw cause
  }
}

/** Makes a codec; without options that of an unsigned, uncompressed queue in UTC. */
export const make = (options: Options = {}): Codec => {
  const { compression = false, useZlib = false, utc = true, signing } = options
  const zone = utc ? "UTC" : (options.timeZone ?? TimeZone.local())
  const key = signing === undefined ? undefined : Signature.key(signing)

  const decode = (message: Uint8Array): Message => {
    if (message.length === 0) throw new HueyError({ reason: "Empty", detail: "no bytes at all" })
    if (message.length > limits.bytes) {
      throw new HueyError({ reason: "TooLarge", detail: `${message.length} bytes, ${limits.bytes} are allowed` })
    }
    const buffer = Buffer.isBuffer(message)
      ? message
      : Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    const bytes = Compression.decompress(buffer)
    if (key === undefined) Signature.refuseSigned(bytes)
    const pickle = key === undefined ? bytes : Signature.verify(bytes, key)
    return HueyMessage.fromPickle(PickleReader.read(pickle), zone)
  }

  const encode = (message: Message): Uint8Array => {
    const pickle = PickleWriter.write(HueyMessage.toPickle(message, zone))
    const bytes = key === undefined ? pickle : Signature.sign(pickle, key)
    return compression ? Compression.compress(bytes, useZlib) : bytes
  }

  return {
    decode: (bytes) => attempt(() => decode(bytes)),
    encode: (message) => attempt(() => encode(message))
  }
}

/** A new message; retries and their delay are for huey's own consumer. */
export const message: typeof HueyMessage.make = HueyMessage.make

/** The same message with other arguments; everything else goes back to the wire as it came. */
export const withCall: (message: Message, call: Message["call"]) => Message = HueyMessage.withCall
