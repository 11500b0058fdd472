import { createCipheriv } from "node:crypto"
import { readFileSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { check, EncKey, type EncKeyError, layer, layerConfig } from "../../src/EdumfaConfig/EncKey.ts"
import * as EdumfaConfig from "../../src/EdumfaConfig.ts"
import * as Files from "../services/Files.ts"

const keyFile = "test/fixtures/enckey/enckey"

const passwords = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Array(Schema.Struct({ clear: Schema.String, encrypted: Schema.String })))
)(readFileSync("test/fixtures/enckey/passwords.json", "utf8"))

const decrypt = (stored: string) =>
  Effect.flatMap(EncKey, (key) => key.decrypt(Redacted.make(stored))).pipe(Effect.map(Redacted.value))

const failure = (error: EncKeyError) => ({ reason: error.reason, message: error.message })

const sample = "63e9a2d7ebf301f9974f896336362ca3:3bb54c1000bf77860f063b71222f1f1e"

/** Encrypts padded bytes under the sample key. */
const encrypt = (...padded: ReadonlyArray<string | number>) => {
  const bytes = Buffer.concat(padded.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.of(part))))
  const cipher = createCipheriv("aes-256-cbc", readFileSync(keyFile).subarray(32, 64), Buffer.alloc(16)).setAutoPadding(
    false
  )
  return `${"0".repeat(32)}:${Buffer.concat([cipher.update(bytes), cipher.final()]).toString("hex")}`
}

const withKey = layer(keyFile).pipe(Layer.provide(NodeFileSystem.layer))

/** A key file of this many bytes, at a path of its own. */
const keyOf = (bytes: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* fs.makeTempFileScoped()
    yield* fs.writeFile(path, new Uint8Array(bytes))
    return path
  })

describe("decrypt", () => {
  it("knows all samples", () => {
    expect(passwords.map(({ clear }) => clear)).toStrictEqual([
      "mail-password",
      "pässwörd with spaces",
      "exactly16bytes!!",
      "",
      "legacy-padded"
    ])
  })

  for (const { clear, encrypted } of passwords) {
    it.effect(`reads '${clear}'`, () =>
      Effect.gen(function* () {
        expect(yield* decrypt(encrypted)).toBe(clear)
      }).pipe(Effect.provide(withKey))
    )
  }

  it.effect.each([
    { padded: ["\x01\x02", ...Array(14).fill(0)], clear: "" },
    { padded: ["6162636465666", "7", "\x01\x02"], clear: "abcdefg" },
    { padded: ["C3A4\x01\x02", ...Array(10).fill(0)], clear: "ä" }
  ])("takes the old padding off: $clear", ({ padded, clear }) =>
    Effect.gen(function* () {
      expect(yield* decrypt(encrypt(...padded))).toBe(clear)
    }).pipe(Effect.provide(withKey))
  )

  it.effect.each([sample.toUpperCase(), `${sample}\n`, ` ${sample}`])("never takes %j for a clear password", (stored) =>
    Effect.gen(function* () {
      expect(yield* decrypt(stored)).toBe("mail-password")
      // Under another key neither.
      const error = yield* Effect.flip(Effect.provide(decrypt(stored), layer(yield* keyOf(96))))
      expect(error.reason).toBe("Undecryptable")
    }).pipe(Effect.scoped, Effect.provide([withKey, NodeFileSystem.layer]))
  )

  it.effect.each(["", "hunter2", `${sample}:00`, `0${sample}`, sample.slice(1), `x${sample}`])(
    "takes %j for a clear password",
    (stored) =>
      Effect.gen(function* () {
        expect(yield* decrypt(stored)).toBe(stored)
      }).pipe(Effect.provide(layer("/does/not/exist").pipe(Layer.provide(NodeFileSystem.layer))))
  )

  it.effect.each([
    { stored: sample.slice(0, -2), why: "no whole block" },
    { stored: sample.slice(0, -1), why: "half a byte" },
    { stored: sample.slice(0, 33), why: "cut behind the colon" },
    { stored: `${sample.slice(0, -1)}f`, why: "damaged" },
    { stored: encrypt("sixteen bytes   "), why: "no padding" },
    { stored: encrypt("fifteen bytes  ", 0), why: "padded by zero bytes" },
    { stored: encrypt("fifteen bytes  ", 17), why: "padded by more than a block" },
    { stored: encrypt("thirteen byte", 3, 2, 3), why: "uneven padding" },
    { stored: encrypt("616\x01\x02", ...Array(11).fill(0)), why: "old padding after an odd number of digits" },
    { stored: encrypt("61xy\x01\x02", ...Array(10).fill(0)), why: "old padding after other text" },
    { stored: encrypt("6162\x01\x02", 7, ...Array(9).fill(0)), why: "old padding with more behind it" },
    { stored: encrypt("61\x01\x02", ...Array(28).fill(0)), why: "old padding of more than a block" },
    { stored: encrypt(...Array(15).fill(0xff), 1), why: "not UTF-8" }
  ])("refuses what is $why", ({ stored }) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decrypt(stored))
      expect(failure(error)).toStrictEqual({
        reason: "Undecryptable",
        message:
          "the password cannot be decrypted under EDUMFA_ENCFILE; is it the key file of the server that stored it?"
      })
    }).pipe(Effect.provide(withKey))
  )
})

describe("key file", () => {
  const refusal = (path: string) => decrypt(sample).pipe(Effect.flip, Effect.map(failure), Effect.provide(layer(path)))

  it.scoped("must exist", () =>
    Effect.gen(function* () {
      expect(yield* refusal("/does/not/exist")).toStrictEqual({
        reason: "NotFound",
        message: "key file /does/not/exist does not exist; set EDUMFA_ENCFILE to eduMFA's key file"
      })
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("must be readable", () =>
    Effect.gen(function* () {
      expect((yield* refusal("/")).reason).toBe("Unreadable")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("has 64 to 100 bytes", () =>
    Effect.gen(function* () {
      const short = yield* keyOf(63)
      const long = yield* keyOf(101)
      expect(yield* refusal(short)).toStrictEqual({
        reason: "TooShort",
        message: `key file ${short} has 63 bytes; the key for passwords ends at byte 64`
      })
      expect(yield* refusal(long)).toStrictEqual({
        reason: "PassphraseProtected",
        message: `key file ${long} is protected by a passphrase, which is not supported; use the unprotected file`
      })
      expect((yield* refusal(yield* keyOf(0))).reason).toBe("TooShort")
      expect((yield* refusal(yield* keyOf(64))).reason).toBe("Undecryptable")
      expect((yield* refusal(yield* keyOf(100))).reason).toBe("Undecryptable")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("is read when first needed, again after a failure, and then kept", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/enckey`
      yield* Effect.gen(function* () {
        expect((yield* Effect.flip(decrypt(sample))).reason).toBe("NotFound")
        yield* fs.copyFile(keyFile, path)
        expect(yield* decrypt(sample)).toBe("mail-password")
        yield* fs.remove(path)
        expect(yield* decrypt(sample)).toBe("mail-password")
      }).pipe(Effect.provide(layer(path)))
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})

describe("layerConfig", () => {
  const configured = (config: Layer.Layer<EdumfaConfig.EdumfaConfig, EdumfaConfig.EdumfaConfigError>) =>
    layerConfig.pipe(Layer.provide([config, NodeFileSystem.layer]))

  it.effect("reads the file that EDUMFA_ENCFILE names", () =>
    Effect.gen(function* () {
      expect(yield* decrypt(sample)).toBe("mail-password")
    }).pipe(Effect.provide(configured(EdumfaConfig.layerValues({ EDUMFA_ENCFILE: keyFile }))))
  )

  it.effect("looks where eduMFA keeps it when nothing names it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(check)
      expect(error.message).toBe("key file /etc/edumfa/enckey does not exist; set EDUMFA_ENCFILE to eduMFA's key file")
    }).pipe(Effect.provide([EdumfaConfig.layerValues({}), NodeFileSystem.layer]))
  )

  it.effect("minds a computed EDUMFA_ENCFILE only for a password that needs it", () =>
    Effect.gen(function* () {
      expect(yield* decrypt("clear")).toBe("clear")
      expect(failure(yield* Effect.flip(decrypt(sample)))).toStrictEqual({
        reason: "Unreadable",
        message:
          "cfg, line 2: EDUMFA_ENCFILE is computed (os.path.join(BASE, …)); write the value itself, for example EDUMFA_ENCFILE = '/etc/edumfa/enckey', or set EDUMFA_ENCFILE in the environment"
      })
    }).pipe(
      Effect.provide(
        configured(
          EdumfaConfig.layer({ file: Option.some("cfg") }).pipe(
            Layer.provide(Files.layer({ cfg: "BASE = '/srv'\nEDUMFA_ENCFILE = os.path.join(BASE, 'enckey')\n" }))
          )
        )
      )
    )
  )

  it.effect("is privacyIDEA's in its own words where its file was read", () =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(check)).message).toBe(
        "key file /etc/privacyidea/enckey does not exist; set PI_ENCFILE to privacyIDEA's key file"
      )
    }).pipe(
      Effect.provide(EdumfaConfig.layer({ file: Option.none() })),
      Effect.provide(Files.layer({ "/etc/privacyidea/pi.cfg": "PI_JOB_QUEUE_URL = ''\n" }))
    )
  )

  it.effect.each(["", " "])("%j names no file: it is not looked for", (path) =>
    Effect.gen(function* () {
      const empty = { reason: "NotFound", message: "EDUMFA_ENCFILE is empty; set it to eduMFA's key file" }
      expect(failure(yield* Effect.flip(check))).toStrictEqual(empty)
      expect(failure(yield* Effect.flip(Effect.provide(decrypt(sample), layer(path))))).toStrictEqual(empty)
    }).pipe(Effect.provide([EdumfaConfig.layerValues({ EDUMFA_ENCFILE: path }), NodeFileSystem.layer]))
  )

  const module = (name: string) => ({ EDUMFA_ENCFILE: keyFile, EDUMFA_HSM_MODULE: name })

  it.effect.each([
    "",
    "edumfa.lib.security.default.DefaultSecurityModule",
    "privacyidea.lib.security.default.DefaultSecurityModule"
  ])("reads the file where %j holds the keys", (name) =>
    Effect.gen(function* () {
      expect(yield* decrypt(sample)).toBe("mail-password")
    }).pipe(Effect.provide(configured(EdumfaConfig.layerValues(module(name)))))
  )

  it.effect("minds another security module for encrypted passwords only", () =>
    Effect.gen(function* () {
      const name = "edumfa.lib.security.aeshsm.AESHardwareSecurityModule"
      const config = EdumfaConfig.layerValues(module(name))
      const fault = {
        reason: "SecurityModule",
        message: `EDUMFA_HSM_MODULE is '${name}': passwords can be decrypted here under a key file only; let mails for such an SMTP server not go through the queue, or let it take them without a login`
      }
      expect(failure(yield* Effect.flip(Effect.provide(check, [config, NodeFileSystem.layer])))).toStrictEqual(fault)
      yield* Effect.gen(function* () {
        expect(yield* decrypt("clear")).toBe("clear")
        expect(failure(yield* Effect.flip(decrypt(sample)))).toStrictEqual(fault)
      }).pipe(Effect.provide(configured(config)))
    })
  )

  it.effect("checks the file", () =>
    Effect.gen(function* () {
      expect(yield* Effect.exit(check)).toStrictEqual(Exit.void)
    }).pipe(Effect.provide([EdumfaConfig.layerValues({ EDUMFA_ENCFILE: keyFile }), NodeFileSystem.layer]))
  )
})
