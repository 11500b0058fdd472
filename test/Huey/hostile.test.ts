import { readdirSync, readFileSync } from "node:fs"
import { deflateSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Huey from "../../src/Huey.ts"

const directory = new URL("../fixtures/hostile-messages/", import.meta.url)
const codec = Huey.make()

/** What becomes of each file; those that decode are refused by their job. */
const expected: Readonly<Record<string, Huey.HueyReason | "decodes">> = {
  "args-not-a-tuple": "NotMessage",
  "bad-mimetype": "decodes",
  "crlf-in-recipient": "decodes",
  "crlf-in-sender": "decodes",
  "crlf-in-subject": "decodes",
  "deep-nesting": "Limit",
  empty: "Empty",
  ext1: "Forbidden",
  "frame-too-long": "Malformed",
  "global-builtins-eval": "Forbidden",
  "group-syntax-recipient": "decodes",
  "gzip-bomb": "TooLarge",
  "gzip-truncated": "Compression",
  "huge-binbytes": "Malformed",
  "huge-length": "Malformed",
  "inst-opcode": "Forbidden",
  json: "Malformed",
  "long4-huge": "Limit",
  "memo-bomb": "Malformed",
  "missing-arguments": "decodes",
  "next-buffer": "Forbidden",
  "no-recipients": "decodes",
  "no-stop": "Malformed",
  "not-a-pickle": "Malformed",
  "only-proto": "Malformed",
  persid: "Forbidden",
  "port-out-of-range": "decodes",
  "proto-pollution": "Forbidden",
  "reduce-os-system": "Forbidden",
  "server-file-url": "decodes",
  "stack-underflow": "Malformed",
  "trailing-bytes": "Malformed",
  "unknown-job": "decodes",
  "unknown-opcode": "Malformed",
  "wrong-types": "decodes"
}

const reasonOf = (bytes: Uint8Array): Huey.HueyReason | "decodes" =>
  Either.match(codec.decode(bytes), { onLeft: (error) => error.reason, onRight: () => "decodes" })

const detailOf = (bytes: Uint8Array): string =>
  Either.match(codec.decode(bytes), { onLeft: (error) => error.detail, onRight: () => "decodes" })

/** The fastest of three: the machine may be busy with something else once. Milliseconds. */
const fastest = (act: () => unknown): number =>
  Math.min(
    ...[1, 2, 3].map(() => {
      const start = performance.now()
      act()
      return performance.now() - start
    })
  )

const memory = () => {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

describe("hostile messages", () => {
  const files = readdirSync(directory).filter((file) => file.endsWith(".msg"))

  it("the table knows every file", () => {
    expect(files.map((file) => file.slice(0, -".msg".length))).toEqual(Object.keys(expected).sort())
  })

  for (const file of files) {
    it(file, () => {
      const bytes = readFileSync(new URL(file, directory))
      const before = memory()
      expect(reasonOf(bytes)).toBe(expected[file.slice(0, -".msg".length)])
      // A bomb may fill what a message may have, and the copy of it, but not the 200 MB it claims.
      expect(memory() - before).toBeLessThan(48 * 1024 * 1024)
      expect(fastest(() => codec.decode(bytes))).toBeLessThan(50)
    })
  }

  it.each([
    ["reduce-os-system", "the name posix.system is not on the list"],
    ["global-builtins-eval", "the name builtins.eval is not on the list"],
    ["persid", "the instruction PERSID is refused (at byte 1)"],
    ["proto-pollution", "a dict has the key prototype"],
    ["trailing-bytes", "bytes after STOP (at byte 5)"],
    ["args-not-a-tuple", "args is not a tuple"],
    ["empty", "no bytes at all"]
  ])("%s says what is wrong", (file, detail) => {
    expect(detailOf(readFileSync(new URL(`${file}.msg`, directory)))).toBe(detail)
  })

  it("nothing on Object.prototype changed", () => {
    expect(Reflect.get({}, "polluted")).toBe(undefined)
  })
})

/** Bytes of a pickle, written as text: one character for each byte. */
const pickle = (...parts: ReadonlyArray<string>) => Buffer.from(`\x80\x04${parts.join("")}.`, "latin1")

/** A message with one argument, which is pickled as these bytes. */
const messageWith = (argument: string) =>
  pickle(`chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNK\0K\0N${argument}\x85}NNNNNNt\x81`)

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString("latin1")
}

describe("hostile messages of other kinds", () => {
  it("the frame of them is a message", () => {
    const { call, id, name } = Either.getOrThrow(codec.decode(messageWith("K\x07")))
    expect([id, name, ...call.args]).toEqual(["i", "job", 7])
  })

  const lists = (count: number) =>
    `]q\0${Array.from({ length: count }, (_, index) => `]q${String.fromCharCode(index + 1)}h${String.fromCharCode(index)}ah${String.fromCharCode(index)}a`).join("")}`
  const long = (length: number) => `X${uint32(length)}${"x".repeat(length)}`
  const key = (index: number) => `X${uint32(1025)}${"k".repeat(1021)}${String(index).padStart(4, "0")}N`

  it.each<[string, Buffer, Huey.HueyReason]>([
    ["shared lists that unfold to 2**30", messageWith(`(${lists(30)}t`), "Limit"],
    ["a list in itself", messageWith("]q\0h\0a"), "Limit"],
    ["a dict in itself", messageWith("}q\0\x8c\x01kh\0s"), "Limit"],
    ["nested 40 deep", messageWith(`${"(".repeat(40)}${"l".repeat(40)}`), "Limit"],
    ["long text shared a hundred times", messageWith(`${long(500_000)}q\0](${"h\0".repeat(100)}e\x86`), "Limit"],
    [
      "text encoded again and again",
      messageWith(`${long(2_000_000)}q\0${"0c_codecs\nencode\nh\0\x8c\x06latin1\x86R".repeat(100)}`),
      "Limit"
    ],
    ["a million marks", pickle("(".repeat(1_000_000)), "Limit"],
    ["a million values thrown away", pickle("N0".repeat(1_000_000)), "Limit"],
    ["a memo entry of four billion", pickle(`Nr${uint32(0xffffffff)}`), "Limit"],
    ["long keys", messageWith(`}(${Array.from({ length: 1000 }, (_, index) => key(index)).join("")}u`), "Limit"],
    ["an integer of a million digits", pickle(`I${"9".repeat(1_000_000)}\n`), "Limit"],
    ["a text of a million escapes", pickle(`V${"\\u0041".repeat(1_000_000)}\n`), "Limit"],
    ["an integer of 17 bytes", messageWith(`\x8a\x11${"\0".repeat(17)}`), "Limit"],
    ["a class as a value", messageWith("cdatetime\ndatetime\n"), "Forbidden"],
    ["a call of a value", messageWith("K\x01)R"), "Forbidden"],
    ["BUILD", messageWith("}}b"), "Forbidden"],
    [
      "a class rebuilt on another base",
      messageWith("ccopyreg\n_reconstructor\n(chuey.registry\nMessage\ncbuiltins\nbytes\n)tR"),
      "Forbidden"
    ],
    [
      "a time that does not exist",
      messageWith("cdatetime\ndatetime\nC\x0a\x07\xea\x02\x1e\0\0\0\0\0\0\x85R"),
      "Forbidden"
    ],
    ["a time with a zone", messageWith("cdatetime\ndatetime\nC\x0a\x07\xea\x02\x01\0\0\0\0\0\0N\x86R"), "Forbidden"],
    ["bytes by another encoding", messageWith("c_codecs\nencode\n\x8c\x01a\x8c\x05rot13\x86R"), "Forbidden"],
    ["bytes of what is no byte", messageWith("c_codecs\nencode\n\x8c\x03\xe2\x82\xac\x8c\x06latin1\x86R"), "Forbidden"],
    ["a key that is a number", messageWith("}K\x01Ns"), "Forbidden"],
    ["a name of two parts in one", messageWith("chuey\nregistry.Message\n)\x81"), "Forbidden"],
    ["a name with a line break", messageWith("\x8c\x03os\n\x8c\x06system\x93"), "Forbidden"],
    ["PROTO twice", pickle("\x80\x04N"), "Malformed"],
    ["protocol 6", Buffer.from("\x80\x06N.", "latin1"), "Malformed"],
    ["a frame in a frame", pickle(`\x95\x0a${"\0".repeat(7)}\x95\x01${"\0".repeat(7)}N`), "Malformed"],
    ["overlong UTF-8", messageWith("\x8c\x02\xc0\x80"), "Malformed"],
    ["overlong UTF-8 of three bytes", messageWith("\x8c\x03\xe0\x9f\xbf"), "Malformed"],
    ["a cut UTF-8 sequence", messageWith("\x8c\x02\xe2\x82"), "Malformed"],
    ["UTF-8 beyond Unicode", messageWith("\x8c\x04\xf4\x90\x80\x80"), "Malformed"],
    ["an escape beyond Unicode", messageWith("V\\U00110000\n"), "Malformed"],
    ["a bare backslash", messageWith("V\\x41\n"), "Malformed"],
    ["a number that is none", messageWith("I0x10\n"), "Malformed"],
    ["a float that is none", messageWith("F1_0\n"), "Malformed"],
    ["items for a tuple", messageWith(")K\x01a"), "Malformed"],
    ["items for a class", messageWith("cdatetime\ndatetime\nK\x01a"), "Malformed"],
    ["a key without a value", messageWith("}(\x8c\x01ku"), "Malformed"],
    ["popping below a mark", pickle("N(\x85"), "Malformed"],
    ["two values", pickle("NN"), "Malformed"],
    ["an open mark", pickle("N("), "Malformed"],
    ["an unknown memo entry", pickle("h\0"), "Malformed"],
    ["sixteen fields", pickle("chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNNNN)}NNNNNNNNt\x81"), "NotMessage"],
    [
      "a long id",
      pickle(`chuey.registry\nMessage\n(X\0\x01\0\0${"i".repeat(256)}\x8c\x03jobNNNN)}t\x81`),
      "NotMessage"
    ],
    ["an empty name", pickle("chuey.registry\nMessage\n(\x8c\x01i\x8c\0NNNN)}t\x81"), "NotMessage"],
    [
      "retries that are a text",
      pickle("chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobN\x8c\x01xNN)}t\x81"),
      "NotMessage"
    ],
    ["an eta that is a number", pickle("chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobK\x01NNN)}t\x81"), "NotMessage"],
    ["args that are a list", pickle("chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNNNN]}t\x81"), "NotMessage"],
    ["kwargs that are a list", pickle("chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNNNN)]t\x81"), "NotMessage"],
    ["no fields", pickle("chuey.registry\nMessage\n)\x81"), "NotMessage"],
    ["another value", pickle("]"), "NotMessage"],
    ["zlib that is none", Buffer.from("x\x9cnothing", "latin1"), "Compression"],
    ["zlib with more behind it", Buffer.concat([deflateSync(messageWith("N")), Buffer.of(0)]), "Compression"],
    ["zlib of nothing", deflateSync(Buffer.alloc(0)), "Malformed"],
    ["more bytes than allowed", Buffer.alloc(16 * 1024 * 1024 + 1), "TooLarge"]
  ])("%s", (_, bytes, reason) => {
    expect(reasonOf(bytes)).toBe(reason)
    expect(fastest(() => codec.decode(bytes))).toBeLessThan(50)
  })

  it("what is no name is not shown: an argument may stand in its place", () => {
    expect(detailOf(messageWith("\x8c\x06492817\x8c\x01x\x93"))).toBe("the name (not a name) is not on the list")
    expect(detailOf(messageWith(`\x8c\x02os\x8c\xc8${"a".repeat(200)}\x93`))).toBe(
      `the name os.${"a".repeat(77)} is not on the list`
    )
  })
})
