/**
 * The compression around a message: huey's gzip or zlib, recognised by the first byte, which no pickle has.
 */
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib"
import * as Predicate from "effect/Predicate"
import { HueyError } from "./HueyError.ts"
import { limits } from "./limits.ts"

const gzipMagic = 0x1f
const zlibMagic = 0x78

const unpack = (bytes: Buffer): unknown => {
  // With `info` the answer is the bytes and the engine, which knows how many it consumed.
  const options = { info: true, maxOutputLength: limits.bytes }
  try {
    return bytes[0] === gzipMagic ? gunzipSync(bytes, options) : inflateSync(bytes, options)
  } catch (cause) {
    const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : "unknown"
    throw code === "ERR_BUFFER_TOO_LARGE"
      ? new HueyError({ reason: "TooLarge", detail: `unpacks to more than ${limits.bytes} bytes`, cause })
      : new HueyError({ reason: "Compression", detail: `cannot be unpacked (${code})`, cause })
  }
}

/** Unpacks what is packed, and leaves the rest as it is. */
export const decompress = (bytes: Buffer): Buffer => {
  if (bytes[0] !== gzipMagic && bytes[0] !== zlibMagic) return bytes
  const result = unpack(bytes)
  if (
    !Predicate.hasProperty(result, "buffer") ||
    !Buffer.isBuffer(result.buffer) ||
    !Predicate.hasProperty(result, "engine") ||
    !Predicate.hasProperty(result.engine, "bytesWritten")
  ) {
    throw new HueyError({ reason: "Compression", detail: "zlib did not say what it consumed" })
  }
  if (result.engine.bytesWritten !== bytes.length) {
    throw new HueyError({ reason: "Compression", detail: "bytes follow the compressed message" })
  }
  return result.buffer
}

/** Packs a message as huey's consumer with the same setting expects it. */
export const compress = (bytes: Buffer, useZlib: boolean): Buffer => (useZlib ? deflateSync(bytes) : gzipSync(bytes))
