/**
 * A Lua script as a typed value: its keys and arguments have names in one place, the count of keys follows from them,
 * and the reply is decoded. Data never becomes part of the script's text.
 */
import { createHash } from "node:crypto"
import type * as Either from "effect/Either"

/** What ioredis sends as it is. */
export type Argument = string | number | Uint8Array

export interface Script<out Key extends string, out Arg extends string, out Reply> {
  readonly name: string
  readonly keys: ReadonlyArray<Key>
  readonly args: ReadonlyArray<Arg>
  readonly lua: string
  readonly sha1: string
  readonly decode: (reply: unknown) => Either.Either<Reply, string>
}

const locals = (prefix: string, table: string, names: ReadonlyArray<string>) =>
  names.map((name, index) => `local ${prefix}_${name} = ${table}[${index + 1}]`).join("\n")

/**
 * Makes a script. Inside `body` a key `queue` is the local `key_queue`, an argument `free` is `arg_free`; further
 * arguments follow from `ARGV[first_rest]` on. `decode` answers with what is wrong when the reply has another shape.
 */
export const make = <const Key extends string, const Arg extends string, Reply>(options: {
  readonly name: string
  readonly keys: ReadonlyArray<Key>
  readonly args: ReadonlyArray<Arg>
  readonly body: string
  readonly decode: (reply: unknown) => Either.Either<Reply, string>
}): Script<Key, Arg, Reply> => {
  const lua = [
    locals("key", "KEYS", options.keys),
    locals("arg", "ARGV", options.args),
    `local first_rest = ${options.args.length + 1}`,
    options.body
  ].join("\n")
  return {
    name: options.name,
    keys: options.keys,
    args: options.args,
    lua,
    sha1: createHash("sha1").update(lua).digest("hex"),
    decode: options.decode
  }
}
