/**
 * How large a message may be. Every limit is checked before the memory it guards is taken.
 */

/** The limits of the codec; they hold for reading and for writing. */
export const limits = {
  /** Bytes, packed and unpacked: a body of 10 MiB in base64 has 13.5 MiB, and a mail around it. */
  bytes: 16 * 1024 * 1024,
  /** Lists in lists: arguments nest to 5, a MIME tree of ten levels to 30. */
  depth: 32,
  /** Values of a message, with those that it shares counted wherever they stand: 100 recipients and a config have 200. */
  values: 10_000,
  /** Items on the reader's stack: the values of one collection, and what encloses it. */
  stack: 12_000,
  /** Entries of the memo: Python remembers every string and collection once. */
  memo: 20_000,
  /** Instructions of a pickle: Python spends two or three on a value. */
  opcodes: 50_000,
  /** Bytes of a line in the text protocol 0, which huey never chooses by itself: its escapes are slow to undo. */
  line: 65_536,
  /** Bytes of an integer: 16 hold any that a database row holds, and arithmetic stays cheap. */
  integer: 16,
  /** Characters of a number in the text protocols: more than the longest integer or float has. */
  digits: 48,
  /** Characters of a dict's key: longer ones share a hash in V8, so that a thousand of them stop the worker. */
  key: 1024,
  /** Characters of a job's id or name: both become part of keys and log lines. */
  name: 255
} as const
