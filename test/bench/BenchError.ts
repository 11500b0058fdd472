import * as Data from "effect/Data"

/**
 * A run that yields no figures. `Ended`: a program ended too soon; `Figures`: it told none; `Late`: it took too long;
 * `Undone`: jobs ended without being done.
 */
export class BenchError extends Data.TaggedError("BenchError")<{
  readonly reason: "Ended" | "Figures" | "Late" | "Undone"
  readonly detail: string
}> {
  override get message() {
    return this.detail
  }
}
