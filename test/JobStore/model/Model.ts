/**
 * What a store on Redis should hold, worked out by hand from what it was asked and what it answered. Where it may choose
 * (retries or fresh messages first) the model takes its choice, and says whether it was allowed.
 */
import { type Grant, type Lease, maxDeliveries, type Settlement, suspectFrom } from "../../../src/JobStore.ts"
import type { Held } from "./Real.ts"

/** A message from its first grant to its end. */
interface Custody {
  bytes: string
  /** Absent: in nobody's hand. */
  token: string | undefined
  deliveries: number
  attempts: number
  /** In nobody's hand: whether its time has come. */
  due: boolean
  /** In a hand: whether its lease is over. */
  over: boolean
}

/** What a worker knows; nothing of it is lost when Redis loses its last writes. */
interface Client {
  /** Everything that was ever granted to it, and what of it it was told of. */
  readonly grants: Array<Lease>
  /** Numbers of its exchanges whose answers got lost, since the last one that arrived. */
  unanswered: Array<number>
}

/** What Redis holds. */
export interface State {
  /** The next to be taken is the last one. */
  waiting: Array<string>
  arrived: Array<string>
  /** What was to be tried later when everything was put back. */
  scheduled: Set<string>
  custody: Map<string, Custody>
  seen: Set<string>
  dead: number
  /** By worker: the numbers of its last three exchanges that granted something, and what. */
  answers: Map<number, ReadonlyArray<{ readonly number: number; readonly leases: ReadonlyArray<Lease> }>>
}

export interface Model {
  state: State
  /** Of Redis as it was, to which it may fall back. */
  snapshot: State | undefined
  readonly clients: ReadonlyArray<Client>
  /** How many exchanges there were. */
  exchanges: number
  /** How many different messages there were. */
  messages: number
}

export const make = (clients: number): Model => ({
  state: {
    waiting: [],
    arrived: [],
    scheduled: new Set(),
    custody: new Map(),
    seen: new Set(),
    dead: 0,
    answers: new Map()
  },
  snapshot: undefined,
  clients: Array.from({ length: clients }, () => ({ grants: [], unanswered: [] })),
  exchanges: 0,
  messages: 0
})

export const copy = (state: State): State => structuredClone(state)

const giveBack = (held: Custody, refund: number) => {
  held.token = undefined
  held.deliveries -= refund
  held.due = true
}

const settle = (state: State, settlement: Settlement): boolean => {
  const { id, token } = settlement.lease
  const held = state.custody.get(id)
  if (held === undefined || held.token !== token) return false
  switch (settlement._tag) {
    case "Done":
      state.custody.delete(id)
      break
    case "Dead":
      state.custody.delete(id)
      state.dead += 1
      break
    case "Retry":
      giveBack(held, held.deliveries)
      held.due = false
      held.attempts += settlement.counted ? 1 : 0
      if (settlement.bytes !== undefined) held.bytes = Buffer.from(settlement.bytes).toString()
      break
    case "Released":
      giveBack(held, 1)
      break
  }
  return true
}

/** Takes back what an answer that got lost had granted. */
const takeBack = (state: State, worker: number, client: Client) => {
  const answers = state.answers.get(worker) ?? []
  for (const { leases } of answers.filter(({ number }) => client.unanswered.includes(number))) {
    for (const { id, token } of leases) {
      const held = state.custody.get(id)
      if (held?.token === token) giveBack(held, 1)
    }
  }
}

const reclaim = (state: State): number => {
  let buried = 0
  for (const [id, held] of state.custody) {
    if (held.token === undefined || !held.over) continue
    if (held.deliveries > maxDeliveries) {
      state.custody.delete(id)
      state.dead += 1
      buried += 1
    } else giveBack(held, 0)
  }
  return buried
}

/** The next message of the lists that is no resend. */
const nextFresh = (state: State): { readonly bytes: string | undefined; readonly resent: number } => {
  for (let resent = 0; ; resent++) {
    const list = state.arrived.length > 0 ? state.arrived : state.waiting
    const bytes = list.pop()
    if (bytes === undefined || !state.seen.has(bytes)) return { bytes, resent }
  }
}

/** What an exchange was asked and what it did. */
export interface Exchanged {
  readonly worker: number
  readonly settlements: ReadonlyArray<Settlement>
  readonly free: number
  readonly reply: {
    readonly settled: ReadonlyArray<boolean>
    readonly grants: ReadonlyArray<Pick<Grant, "lease" | "deliveries" | "attempts" | "bytes">>
    readonly buried: ReadonlyArray<unknown>
    readonly duplicates: number
  }
  readonly lost: boolean
}

const fail = (what: string, wanted: unknown, got: unknown): never => {
  throw new Error(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`)
}

const same = (what: string, wanted: unknown, got: unknown) => {
  if (JSON.stringify(wanted) !== JSON.stringify(got)) fail(what, wanted, got)
}

/** Follows an exchange, or throws where it did what it may not. */
export const exchange = (model: Model, { free, lost, reply, settlements, worker }: Exchanged): void => {
  const { state } = model
  const client = model.clients[worker] ?? fail("worker", "one that exists", worker)
  const number = ++model.exchanges
  same(
    "settled",
    settlements.map((settlement) => settle(state, settlement)),
    reply.settled
  )
  takeBack(state, worker, client)
  same("buried", reclaim(state), reply.buried.length)
  let duplicates = 0
  const leases: Array<Lease> = []
  const suspects = reply.grants.filter(({ deliveries }) => deliveries >= suspectFrom).length
  if (suspects > 1) fail("granted under suspicion", "at most one", suspects)
  for (const { attempts, bytes, deliveries, lease } of reply.grants) {
    const { id, token } = lease
    // Not even one that was granted before Redis fell back: its holder would settle a job that is not its own.
    const known = model.clients.some(({ grants }) => grants.some((it) => it.id === id && it.token === token))
    same("a lease that was granted before", false, known)
    let held = state.custody.get(id)
    if (held === undefined) {
      const fresh = nextFresh(state)
      duplicates += fresh.resent
      held = { bytes: fresh.bytes ?? "nothing", token: undefined, deliveries: 0, attempts: 0, due: true, over: false }
      state.custody.set(id, held)
      state.seen.add(held.bytes)
    }
    if (held.token !== undefined || !held.due) fail("granted", "what is in nobody's hand and due", held)
    held.token = token
    held.deliveries += 1
    held.over = false
    const { deliveries: delivered, attempts: failed } = held
    same("grant", [held.bytes, delivered, failed], [Buffer.from(bytes).toString(), deliveries, attempts])
    leases.push(lease)
  }
  // Resends in front of no fresh message are left out too, while there is a free slot.
  while (duplicates < reply.duplicates) {
    const list = state.arrived.length > 0 ? state.arrived : state.waiting
    const bytes = list.pop()
    if (bytes === undefined || !state.seen.has(bytes)) fail("left out", "a resend", bytes)
    duplicates += 1
  }
  if (reply.grants.length < free) {
    same("left on the lists", [], [...state.waiting, ...state.arrived])
    // One under suspicion is granted at a time; others of them wait.
    const due = [...state.custody.values()].filter(
      (held) => held.token === undefined && held.due && (suspects === 0 || held.deliveries + 1 < suspectFrom)
    )
    same("left due", 0, due.length)
  }
  same("duplicates", duplicates, reply.duplicates)
  const former = state.answers.get(worker) ?? []
  if (leases.length > 0) state.answers.set(worker, [{ number, leases }, ...former.slice(0, 2)])
  client.grants.push(...leases)
  client.unanswered = lost ? [...client.unanswered, number] : []
}

/** All that these workers hold is left to the end of its lease. */
export const letGo = ({ state }: Model): void => {
  for (const held of state.custody.values()) if (held.token !== undefined) held.over = true
}

/** What Redis holds, in the words of the model's state; throws where the two differ. */
export const compare = ({ state }: Model, held: Held): void => {
  const pairs = (hash: ReadonlyArray<string>) =>
    hash.flatMap((key, index) => (index % 2 === 0 ? [[key, hash[index + 1]] as const] : []))
  const sorted = <A>(items: Iterable<A>) => [...items].map((item) => JSON.stringify(item)).sort()
  const custody = [...state.custody]
  same("waiting", state.waiting, held.waiting)
  same("arrived", state.arrived, held.arrived)
  same("scheduled", sorted(state.scheduled), sorted(held.scheduled))
  same("job", sorted(custody.map(([id, { bytes }]) => [id, bytes])), sorted(pairs(held.job)))
  same(
    "meta",
    sorted(custody.map(([id, it]) => [id, `${it.token ?? ""}|${it.deliveries}|${it.attempts}`])),
    sorted(pairs(held.meta).map(([id, meta = ""]) => [id, meta.replace(/\|\d+$/, "")]))
  )
  same("inflight", sorted(custody.flatMap(([id, it]) => (it.token === undefined ? [] : [id]))), sorted(held.inflight))
  same("delayed", sorted(custody.flatMap(([id, it]) => (it.token === undefined ? [id] : []))), sorted(held.delayed))
  same(
    "history of what is not there",
    [],
    held.history.filter((id) => !state.custody.has(id))
  )
  same("dead", state.dead, held.dead)
}
