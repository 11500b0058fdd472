/**
 * The key file of eduMFA, and the passwords encrypted under it.
 */
import { createDecipheriv } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import { EdumfaConfig } from "../EdumfaConfig.ts"
import type { Product } from "./keys.ts"
import * as RegularFile from "./RegularFile.ts"

/**
 * `NotFound`, `Unreadable`: the key file, or the setting that names it; `PassphraseProtected`: the key file is itself
 * encrypted; `TooShort`: it does not hold the key for passwords; `SecurityModule`: the keys are not in a file;
 * `Undecryptable`: the password was encrypted under another key, or is damaged.
 */
export type EncKeyReason =
  | "NotFound"
  | "Unreadable"
  | "PassphraseProtected"
  | "TooShort"
  | "SecurityModule"
  | "Undecryptable"

/** A password that cannot be decrypted here. */
export class EncKeyError extends Data.TaggedError("EncKeyError")<{
  readonly reason: EncKeyReason
  /** One line, without key, password or ciphertext. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message() {
    return this.detail
  }
}

/** Turns a password as eduMFA stores it into a clear one. */
export class EncKey extends Context.Tag("edumfa-queue/EdumfaConfig/EncKey")<
  EncKey,
  {
    /** A value that is not of the form `hex32:hex` is a clear password and is returned as it is. */
    readonly decrypt: (stored: Redacted.Redacted) => Effect.Effect<Redacted.Redacted, EncKeyError>
  }
>() {}

/** Where a server keeps its keys. */
export interface EncKeyConfig {
  /** Path of the key file; none: where the product keeps it. */
  readonly file: Option.Option<string>
  /** The class that holds the keys; none: the one with a key file. */
  readonly module: Option.Option<string>
}

/** EDUMFA_ENCFILE and EDUMFA_HSM_MODULE. */
export const config: Config.Config<EncKeyConfig> = Config.all({
  file: Config.option(Config.string("EDUMFA_ENCFILE")),
  module: Config.option(Config.nonEmptyString("EDUMFA_HSM_MODULE"))
})

const defaultFiles = { eduMFA: "/etc/edumfa/enckey", privacyIDEA: "/etc/privacyidea/enckey" } as const

/** The classes whose keys are in a file. */
const fileModules = [
  "edumfa.lib.security.default.DefaultSecurityModule",
  "privacyidea.lib.security.default.DefaultSecurityModule"
]

/** A key file, and what to call it. */
interface KeyFile {
  readonly path: string
  readonly product: Product
  /** The setting that names it. */
  readonly key: string
}

/** eduMFA takes a longer file for one that is encrypted with a passphrase; a plain one has 96 bytes. */
const maxPlainBytes = 100

/** The key file is a row of 32-byte keys: for tokens, for passwords, for values. */
const passwordKey = { start: 32, end: 64 } as const

/**
 * What eduMFA stores: the initialisation vector and the ciphertext, in hexadecimal. Case, blanks around it and a cut do not make
 * a clear password of it: it must never be sent as one.
 */
const encrypted = /^\s*([0-9a-f]{32}):([0-9a-f]*)\s*$/i

const blockBytes = 16

const read = Effect.fn("EncKey.read")(function* (fs: FileSystem.FileSystem, { key, path, product }: KeyFile) {
  if (path.trim() === "") {
    return yield* new EncKeyError({ reason: "NotFound", detail: `${key} is empty; set it to ${product}'s key file` })
  }
  // One byte more than a plain file may have tells them apart, however large the file is.
  const bytes = yield* RegularFile.check(path).pipe(
    Effect.zipRight(fs.open(path)),
    Effect.flatMap((file) => file.readAlloc(FileSystem.Size(maxPlainBytes + 1))),
    Effect.map(Option.getOrElse(() => new Uint8Array())),
    Effect.scoped,
    Effect.provideService(FileSystem.FileSystem, fs),
    Effect.mapError((cause) =>
      cause._tag === "SystemError" && cause.reason === "NotFound"
        ? new EncKeyError({
            reason: "NotFound",
            detail: `key file ${path} does not exist; set ${key} to ${product}'s key file`,
            cause
          })
        : new EncKeyError({
            reason: "Unreadable",
            detail: `key file ${path} cannot be read (${RegularFile.reason(cause)})`,
            cause
          })
    )
  )
  if (bytes.length > maxPlainBytes) {
    return yield* new EncKeyError({
      reason: "PassphraseProtected",
      detail: `key file ${path} is protected by a passphrase, which is not supported; use the unprotected file`
    })
  }
  if (bytes.length < passwordKey.end) {
    return yield* new EncKeyError({
      reason: "TooShort",
      detail: `key file ${path} has ${bytes.length} bytes; the key for passwords ends at byte ${passwordKey.end}`
    })
  }
  return Redacted.make(bytes.slice(passwordKey.start, passwordKey.end))
})

/** Takes PKCS#7 padding off; undefined: it is not padded so. */
const unpad = (padded: Buffer): Buffer | undefined => {
  const count = padded.at(-1) ?? 0
  if (count < 1 || count > blockBytes || count > padded.length) return undefined
  const text = padded.subarray(0, padded.length - count)
  return padded.subarray(text.length).every((byte) => byte === count) ? text : undefined
}

/** The padding of old versions: hexadecimal text, the bytes 1 and 2, zeros up to the block. PKCS#7 never ends so. */
const unpadLegacy = (padded: Buffer): Buffer | undefined => {
  const end = padded.lastIndexOf("\x01\x02")
  if (end === -1 || padded.length - end - 2 >= blockBytes) return undefined
  if (padded.subarray(end + 2).some((byte) => byte !== 0)) return undefined
  const hex = padded.toString("latin1", 0, end)
  return /^(?:[0-9a-fA-F]{2})*$/.test(hex) ? Buffer.from(hex, "hex") : undefined
}

const decipher = (key: Redacted.Redacted<Uint8Array>, iv: string, ciphertext: string): Redacted.Redacted => {
  const cipher = createDecipheriv("aes-256-cbc", Redacted.value(key), Buffer.from(iv, "hex")).setAutoPadding(false)
  const padded = Buffer.concat([cipher.update(Buffer.from(ciphertext, "hex")), cipher.final()])
  const text = unpad(padded) ?? unpadLegacy(padded)
  if (text === undefined) throw new Error("wrong padding")
  const password = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text)
  text.fill(0)
  padded.fill(0)
  return Redacted.make(password)
}

/**
 * A key file that may itself have to be found out. It is read when the first encrypted password comes, kept from then on,
 * and read again after a failure.
 */
const make = Effect.fnUntraced(function* (keyFile: Effect.Effect<KeyFile, EncKeyError>, name: string) {
  const fs = yield* FileSystem.FileSystem
  const kept = yield* Ref.make(Option.none<Redacted.Redacted<Uint8Array>>())
  const key = Effect.flatMap(
    Ref.get(kept),
    Option.match({
      onSome: Effect.succeed,
      onNone: () =>
        Effect.flatMap(keyFile, (file) => read(fs, file)).pipe(Effect.tap((bytes) => Ref.set(kept, Option.some(bytes))))
    })
  )
  const decrypt = Effect.fnUntraced(function* (stored: Redacted.Redacted) {
    const [, iv, ciphertext] = encrypted.exec(Redacted.value(stored)) ?? []
    if (iv === undefined || ciphertext === undefined) return stored
    const bytes = yield* key
    return yield* Effect.try({
      try: () => decipher(bytes, iv, ciphertext),
      catch: (cause) =>
        new EncKeyError({
          reason: "Undecryptable",
          detail: `the password cannot be decrypted under ${name}; is it the key file of the server that stored it?`,
          cause
        })
    })
  })
  return EncKey.of({ decrypt })
})

const keyName = "EDUMFA_ENCFILE"

/** The key file that the configuration gives; a setting that cannot be used is a fault of the passwords that need it. */
const configured = Effect.gen(function* () {
  const { get, nameOf, product } = yield* EdumfaConfig
  const { file, module } = yield* Effect.mapError(
    get(config),
    (cause) => new EncKeyError({ reason: "Unreadable", detail: cause.message, cause })
  )
  if (Option.isSome(module) && !fileModules.includes(module.value)) {
    return yield* new EncKeyError({
      reason: "SecurityModule",
      detail:
        `${nameOf("EDUMFA_HSM_MODULE")} is '${module.value}': passwords can be decrypted here under a key file only; ` +
        "let mails for such an SMTP server not go through the queue, or let it take them without a login"
    })
  }
  return { path: Option.getOrElse(file, () => defaultFiles[product]), product, key: nameOf(keyName) } satisfies KeyFile
})

/** Whether the configured key file can be used: for a warning at start. */
export const check: Effect.Effect<void, EncKeyError, EdumfaConfig | FileSystem.FileSystem> = Effect.gen(function* () {
  const keyFile = yield* configured
  yield* read(yield* FileSystem.FileSystem, keyFile)
})

/** The key file at this path. */
export const layer = (path: string): Layer.Layer<EncKey, never, FileSystem.FileSystem> =>
  Layer.effect(EncKey, make(Effect.succeed({ path, product: "eduMFA", key: keyName }), keyName))

/** The key file that `EDUMFA_ENCFILE` names. */
export const layerConfig: Layer.Layer<EncKey, never, EdumfaConfig | FileSystem.FileSystem> = Layer.effect(
  EncKey,
  Effect.flatMap(EdumfaConfig, (edumfa) =>
    make(Effect.provideService(configured, EdumfaConfig, edumfa), edumfa.nameOf(keyName))
  )
)
