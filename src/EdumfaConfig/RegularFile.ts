/**
 * Reads a file that is one: a pipe or a device would hang the start, or never end.
 */

import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** No regular file, or one that is too large to be what it is taken for. */
export class NotRegular extends Data.TaggedError("NotRegular")<{ readonly detail: string }> {
  override get message() {
    return this.detail
  }
}

/** A configuration has a few hundred lines, a secret one. */
const maxBytes = 1024 * 1024

/** Fails with NotRegular for a directory, pipe, socket or device, and for more than 1 MiB. */
export const check = Effect.fnUntraced(function* (
  path: string
): Effect.fn.Return<void, NotRegular | PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const { size, type } = yield* fs.stat(path)
  if (type !== "File") return yield* new NotRegular({ detail: "it is no regular file" })
  if (size > maxBytes) return yield* new NotRegular({ detail: `it has more than ${maxBytes} bytes` })
})

/** The bytes of a regular file. */
export const read = (path: string): Effect.Effect<Uint8Array, NotRegular | PlatformError, FileSystem.FileSystem> =>
  Effect.zipRight(
    check(path),
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFile(path))
  )

/** In a word why a file was not read. */
export const reason = (error: NotRegular | PlatformError): string =>
  error._tag === "NotRegular" ? error.detail : error._tag === "SystemError" ? error.reason : error.message
