/**
 * What a record says beside its message, as annotations do. An annotation costs as much as four records, for it is handed
 * to all that a fiber does; these belong to one record, so they are a part of its message.
 */

export class Fields {
  readonly values: Readonly<Record<string, string | number>>

  constructor(values: Readonly<Record<string, string | number>>) {
    this.values = values
  }

  /** For other loggers. */
  toJSON(): Readonly<Record<string, string | number>> {
    return this.values
  }

  toString(): string {
    return Object.entries(this.values)
      .map(([key, value]) => `${key}=${value}`)
      .join(" ")
  }
}
