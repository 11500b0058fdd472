/**
 * Opens a log file, or says in one line why not and what to do.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, statSync } from "node:fs"
import { dirname } from "node:path"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Line from "./Line.ts"
import { code } from "./Sink.ts"

/** An open log file. */
export interface LogFile {
  readonly fd: number
  readonly dev: number
  readonly ino: number
  /** Bytes when it was opened. */
  readonly size: number
}

export type LogFileReason =
  | "MissingDirectory"
  | "Permission"
  | "Symlink"
  | "NotAFile"
  | "UnsafeDirectory"
  | "Unwritable"

const explain = (reason: LogFileReason, path: string, cause: unknown): string => {
  const directory = dirname(path)
  switch (reason) {
    case "MissingDirectory":
      return `there is no directory ${directory}; create it, or name another file with -l`
    case "Permission":
      return `permission denied (${code(cause)}); let the user of this process write there, or name another file with -l`
    case "Symlink":
      return "it is a symbolic link; name the file it points to, or write -l - to log to stdout"
    case "NotAFile":
      return "it is not a regular file; name a file, or write -l - to log to stdout"
    case "UnsafeDirectory":
      return `anybody may replace files in ${directory}; take that away with chmod o-w ${directory}, or name another file with -l`
    case "Unwritable":
      return `${code(cause)}; mend that, or name another file with -l`
  }
}

/** The log cannot go to this file. */
export class LogFileError extends Data.TaggedError("LogFileError")<{
  readonly reason: LogFileReason
  readonly path: string
  readonly cause?: unknown
}> {
  override get message() {
    return Line.escaped(`cannot log to ${this.path}: ${explain(this.reason, this.path, this.cause)}`)
  }
}

const reasons: Readonly<Record<string, LogFileReason>> = {
  ENOENT: "MissingDirectory",
  ENOTDIR: "MissingDirectory",
  EACCES: "Permission",
  EPERM: "Permission",
  EROFS: "Permission",
  ELOOP: "Symlink",
  EISDIR: "NotAFile",
  // A FIFO without a reader, a socket, a device without a driver.
  ENXIO: "NotAFile",
  ENODEV: "NotAFile"
}

const flags =
  constants.O_WRONLY |
  constants.O_APPEND |
  constants.O_CREAT |
  constants.O_NOFOLLOW |
  // So that a FIFO or a terminal line is refused instead of waited for, and no terminal becomes ours.
  constants.O_NONBLOCK |
  constants.O_NOCTTY

/** For new files, before the umask: the group may read a log, others may not. */
const mode = 0o640

/** Where everybody may write, only the sticky bit keeps others from replacing a file. */
const isUnsafe = (directory: string): boolean => {
  const bits = statSync(directory).mode
  return (bits & 0o002) !== 0 && (bits & 0o1000) === 0
}

/** Opens a file for appending and creates it with mode 0640; follows no symbolic link and takes only regular files. */
export const open = (path: string): Either.Either<LogFile, LogFileError> => {
  const refuse = (reason: LogFileReason, cause?: unknown) => Either.left(new LogFileError({ reason, path, cause }))
  try {
    if (isUnsafe(dirname(path))) return refuse("UnsafeDirectory")
    const fd = openSync(path, flags, mode)
    const stats = fstatSync(fd)
    if (stats.isFile()) return Either.right({ fd, dev: stats.dev, ino: stats.ino, size: stats.size })
    closeSync(fd)
    return refuse("NotAFile")
  } catch (cause) {
    return refuse(reasons[code(cause)] ?? "Unwritable", cause)
  }
}

/** The size of the file in bytes if it still is what its path names; none after it was renamed, removed or replaced. */
export const sizeAt = (path: string, file: LogFile): number | undefined => {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    return stats !== undefined && stats.ino === file.ino && stats.dev === file.dev ? stats.size : undefined
  } catch {
    // The directory is gone or closed to us, and the file with it.
    return undefined
  }
}
