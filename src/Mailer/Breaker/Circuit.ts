/**
 * The state of one circuit breaker and all its transitions, without a clock and without a store.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/**
 * Why a breaker opens: `Configuration`, the same every time until somebody mends it, so that one is enough; `Silence`,
 * no answer that could be used, so that several in a row are needed.
 */
export const Fault = Schema.Literal("Configuration", "Silence")
export type Fault = typeof Fault.Type

/**
 * Closed: everybody passes. `provenAt`: when it last worked; `failedAt`: when the last of its failures in a row was; both in
 * milliseconds since the epoch, 0: never that we know.
 */
const Closed = Schema.TaggedStruct("Closed", {
  failures: Schema.Number,
  provenAt: Schema.Number,
  failedAt: Schema.optionalWith(Schema.Number, { default: () => 0 })
})

/** Nobody passes before `until`; the first one after it is the probe. `step` counts the intervals, from 1. */
const Open = Schema.TaggedStruct("Open", { fault: Fault, step: Schema.Number, until: Schema.Number })

/** One is trying, and has until `until` to report; `before` is what holds if it reports nothing. */
const Probing = Schema.TaggedStruct("Probing", { before: Schema.Union(Closed, Open), until: Schema.Number })

const CircuitSchema = Schema.Union(Closed, Open, Probing)

export type Circuit = typeof CircuitSchema.Type

/** How breakers behave; all but `failures` in milliseconds. */
export interface Rules {
  /** So many silences in a row open a breaker. */
  readonly failures: number
  /** From opening to the first probe, from that to the second, …; the last one goes on. */
  readonly intervals: Readonly<Record<Fault, ReadonlyArray<number>>>
  /** What has to be proven is so for this long after it worked. */
  readonly provenFor: number
  /** How long those wait who come while one is trying. */
  readonly turn: number
  /** A mail server of which no mail has ended for so long keeps half of the slots. */
  readonly silence: number
  /** How old what is known of other workers' breakers may be. */
  readonly refresh: number
}

/**
 * The breaker's own rules. A login that is refused is tried three times within five minutes, at 0, 60 and 300 seconds:
 * where a server offers CRAM-MD5 and PLAIN a try is two AUTH commands, and accounts are locked after five.
 */
export const standard: Rules = {
  failures: 5,
  intervals: {
    Configuration: [60_000, 240_000, 300_000],
    Silence: [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000]
  },
  provenFor: 60_000,
  turn: 1_000,
  silence: 5_000,
  refresh: 1_000
}

/** The rules with all times multiplied. */
export const scaled = (rules: Rules, factor: number): Rules => ({
  failures: rules.failures,
  intervals: {
    Configuration: rules.intervals.Configuration.map((millis) => millis * factor),
    Silence: rules.intervals.Silence.map((millis) => millis * factor)
  },
  provenFor: rules.provenFor * factor,
  turn: rules.turn * factor,
  silence: rules.silence * factor,
  refresh: rules.refresh * factor
})

/** Of what nothing is known. */
export const unknown: Circuit = { _tag: "Closed", failures: 0, provenAt: 0, failedAt: 0 }

/** May one go on? With a state that has to be entered before, where there is one. */
export type Answer =
  | { readonly _tag: "Pass"; readonly next: Circuit | undefined }
  /** Milliseconds to wait: it is open, or somebody is trying whether it still is, or whether it works at all. */
  | { readonly _tag: "Wait"; readonly why: "Open" | "Probe" | "Proof"; readonly rest: number }

/** What somebody who asks brings. */
export interface Question {
  /** Milliseconds since the epoch, the store's. */
  readonly now: number
  /** Until it has worked only one may try at a time. */
  readonly needsProof: boolean
  /** Milliseconds a probe gets to report. */
  readonly patience: number
}

/** Whether somebody may pass. */
export const ask = (rules: Rules, circuit: Circuit, { needsProof, now, patience }: Question): Answer => {
  const probe = (before: typeof Closed.Type | typeof Open.Type): Answer => ({
    _tag: "Pass",
    next: { _tag: "Probing", before, until: now + patience }
  })
  switch (circuit._tag) {
    case "Closed":
      return needsProof && now - circuit.provenAt >= rules.provenFor
        ? probe(circuit)
        : { _tag: "Pass", next: undefined }
    case "Open":
      return now < circuit.until ? { _tag: "Wait", why: "Open", rest: circuit.until - now } : probe(circuit)
    case "Probing": {
      const why = circuit.before._tag === "Open" ? "Probe" : "Proof"
      return now < circuit.until
        ? { _tag: "Wait", why, rest: Math.min(rules.turn, circuit.until - now) }
        : probe(circuit.before)
    }
  }
}

/** It worked. Undefined: nothing new. */
export const succeeded = (
  rules: Rules,
  circuit: Circuit,
  { needsProof, now }: Pick<Question, "now" | "needsProof">
): Circuit | undefined => {
  // Half of the time: who succeeds regularly is never without proof.
  const isFresh = !needsProof || now - circuitProvenAt(circuit) < rules.provenFor / 2
  // One failure is none in a row: whoever meets the next knows of this success, or had none himself.
  return circuit._tag === "Closed" && circuit.failures <= 1 && isFresh
    ? undefined
    : { _tag: "Closed", failures: 0, provenAt: now, failedAt: 0 }
}

const circuitProvenAt = (circuit: Circuit): number => (circuit._tag === "Closed" ? circuit.provenAt : 0)

const open = (rules: Rules, fault: Fault, step: number, now: number): Circuit => {
  const intervals = rules.intervals[fault]
  const interval = intervals[Math.min(step, intervals.length) - 1] ?? 0
  return { _tag: "Open", fault, step, until: now + interval }
}

/** What somebody knows who saw it fail; milliseconds since the epoch. */
export interface Witness {
  readonly now: number
  /** When it last worked for the same. */
  readonly workedAt: number
}

/** It did not work. Undefined: nothing new, as where those fail that had begun before the breaker opened. */
export const failed = (
  rules: Rules,
  circuit: Circuit,
  fault: Fault,
  { now, workedAt }: Witness
): Circuit | undefined => {
  const state = circuit._tag === "Probing" ? circuit.before : circuit
  if (state._tag === "Open") {
    if (circuit._tag === "Open") return undefined
    return open(rules, fault, state.fault === fault ? state.step + 1 : 1, now)
  }
  // A server that fails now and then and answers in between fails never twice in a row, in however many workers.
  const failures = workedAt > state.failedAt ? 1 : state.failures + 1
  return fault === "Configuration" || failures >= rules.failures
    ? open(rules, fault, 1, now)
    : { _tag: "Closed", failures, provenAt: state.provenAt, failedAt: now }
}

/** The probe came to nothing, for a reason of its own: the next one may try at once. */
export const released = (circuit: Circuit): Circuit | undefined =>
  circuit._tag === "Probing" ? circuit.before : undefined

/** Whether it is open, be it with a probe under way. */
export const isOpen = (circuit: Circuit): boolean =>
  circuit._tag === "Open" || (circuit._tag === "Probing" && circuit.before._tag === "Open")

const Json = Schema.parseJson(CircuitSchema)
const decodeJson = Schema.decodeEither(Json)

/** As it is stored: `when|mark|JSON`, with a mark that no other writing has. */
export const encode = (circuit: Circuit, now: number, mark: string): string =>
  `${Math.floor(now)}|${mark}|${Schema.encodeSync(Json)(circuit)}`

/** What cannot be read, as another version may have written it, counts as unknown. */
export const decode = (stored: string): Circuit =>
  Either.getOrElse(decodeJson(stored.replace(/^\d+\|[^|]*\|/, "")), () => unknown)
