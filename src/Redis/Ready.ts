/**
 * Commands as bytes, made in one go: the driver measures and joins every argument by itself, which costs more than all
 * else that a call does. What it gets is written as it is; replies, order and errors stay its care.
 */
import { Command, type Redis } from "ioredis"
import type { Argument } from "./Script.ts"

/** A text or number as Redis reads it. */
export const part = (value: string | number): string => {
  const text = typeof value === "string" ? value : String(value)
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

/** A command whose reply comes as bytes. */
class Ready extends Command {
  private readonly bytes: string | Buffer

  constructor(name: string, bytes: string | Buffer) {
    super(name)
    this.bytes = bytes
  }

  override toWritable(): string | Buffer {
    return this.bytes
  }
}

/** One argument of bytes, as a message is: the buffer is made to measure, and every byte written once. */
const bytesOfOne = (begin: string, value: Uint8Array): Buffer => {
  const head = `${begin}$${value.length}\r\n`
  const start = Buffer.byteLength(head)
  const bytes = Buffer.allocUnsafe(start + value.length + 2)
  bytes.write(head)
  bytes.set(value, start)
  bytes[start + value.length] = 0x0d
  bytes[start + value.length + 1] = 0x0a
  return bytes
}

const bytesOf = (made: string, count: number, rest: ReadonlyArray<Argument>): string | Buffer => {
  let text = `*${count + rest.length}\r\n${made}`
  const [first] = rest
  if (rest.length === 1 && first instanceof Uint8Array) return bytesOfOne(text, first)
  let chunks: Array<Uint8Array> | undefined
  for (const value of rest) {
    if (typeof value === "string" || typeof value === "number") text += part(value)
    else {
      chunks ??= []
      chunks.push(Buffer.from(`${text}$${value.length}\r\n`), value)
      text = "\r\n"
    }
  }
  if (chunks === undefined) return text
  chunks.push(Buffer.from(text))
  return Buffer.concat(chunks)
}

/**
 * Has all else that is sent now leave in one write: what many wait for at once costs Redis and us a fifth of many writes. One
 * command alone is written at once.
 */
export const gather = ({ stream }: Redis): void => {
  if (stream === undefined || stream.writableCorked > 0) return
  stream.cork()
  queueMicrotask(() => stream.uncork())
}

/** Sends a command that begins with so many parts, made by {@link part}, before the `rest`; its reply comes as bytes. */
export const send = (
  client: Redis,
  name: string,
  made: string,
  count: number,
  rest: ReadonlyArray<Argument>
): Promise<unknown> => {
  const command = new Ready(name, bytesOf(made, count, rest))
  client.sendCommand(command)
  gather(client)
  return command.promise
}
