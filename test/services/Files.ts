/**
 * A file system of a few texts.
 */
import { type PlatformError, SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"

const info = (size: number): FileSystem.File.Info => ({
  type: "File",
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 0,
  ino: Option.none(),
  mode: 0o640,
  nlink: Option.none(),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  size: FileSystem.Size(size),
  blksize: Option.none(),
  blocks: Option.none()
})

/** Nothing but these files; one without text may not be read. */
export const layer = (files: Readonly<Record<string, string | null>>): Layer.Layer<FileSystem.FileSystem> => {
  const failure = (method: string, path: string) =>
    Effect.fail<PlatformError>(
      new SystemError({
        reason: path in files ? "PermissionDenied" : "NotFound",
        module: "FileSystem",
        method,
        pathOrDescriptor: path
      })
    )
  return FileSystem.layerNoop({
    stat: (path) => (path in files ? Effect.succeed(info(files[path]?.length ?? 0)) : failure("stat", path)),
    readFile: (path) => {
      const text = files[path]
      return typeof text === "string" ? Effect.succeed(Buffer.from(text)) : failure("readFile", path)
    }
  })
}
