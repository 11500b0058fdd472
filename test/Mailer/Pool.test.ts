import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { type Kept, Pool } from "../../src/Mailer/Pool.ts"
import * as Progress from "../../src/Mailer/Progress.ts"
import { MailerError } from "../../src/Mailer.ts"

const failure = (detail: string) => Cause.fail(new MailerError({ reason: "Connect", verdict: "Transient", detail }))

/** A connection of nobody's. */
class Line {
  alive = true
  mails = 0
  closed = 0
  /** It was cut while somebody used it, and told that nobody does. */
  cut = false
  resting = false
  readonly kept: Kept = {
    connection: {
      isAlive: () => this.alive,
      mails: () => this.mails,
      cut: () => {
        this.cut = true
        this.alive = false
      },
      rest: () => {
        this.resting = true
      },
      secure: false,
      loopback: true,
      extensions: new Set(),
      mechanisms: new Set(),
      maxSize: 0,
      login: () => Effect.void,
      send: () => Effect.dieMessage("nothing is sent here")
    },
    close: () => {
      this.closed += 1
      this.alive = false
    }
  }
}

/** A connection that is being opened. */
interface Opening {
  ended: boolean
  givenUp: boolean
  readonly succeed: () => void
  readonly fail: () => void
}

type Ending = "served" | "failed" | "gone"

/** A mail that wants a connection; `ends` says how its waiting ended. */
interface Mail {
  readonly progress: Progress.Progress
  readonly ends: Array<Ending>
  kept: Kept | undefined
}

/** A pool, and all that it was given and gave. */
class World {
  readonly pool: Pool
  readonly lines: Array<Line> = []
  readonly openings: Array<Opening> = []
  readonly mails: Array<Mail> = []
  now = 0
  /** What an opening comes to before its call returns. */
  atOnce: "succeed" | "fail" | undefined

  constructor(max: number) {
    this.pool = new Pool(max)
  }

  line(): Line {
    const line = new Line()
    this.lines.push(line)
    return line
  }

  lineOf({ kept }: Mail): Line | undefined {
    return this.lines.find((line) => line.kept === kept)
  }

  /** A mail looks for a connection, and waits where there is none. */
  arrive(): Mail {
    const kept = this.pool.take()
    const mail: Mail = { progress: Progress.unsafeMake(), ends: kept === undefined ? [] : ["served"], kept }
    this.mails.push(mail)
    if (kept === undefined) this.wait(mail)
    return mail
  }

  wait(mail: Mail): void {
    this.pool.wait(
      mail.progress,
      {
        open: (opened, failed) => {
          const opening: Opening = {
            ended: false,
            givenUp: false,
            succeed: () => {
              opening.ended = true
              opened(this.line().kept, this.now)
            },
            fail: () => {
              opening.ended = true
              failed(failure("not opened"))
            }
          }
          this.openings.push(opening)
          if (this.atOnce !== undefined) opening[this.atOnce]()
          return () => {
            opening.givenUp = true
          }
        },
        served: (kept) => {
          mail.ends.push("served")
          mail.kept = kept
        },
        failed: () => {
          mail.ends.push("failed")
        }
      },
      () => {
        mail.ends.push("gone")
      }
    )
  }

  /** A mail ends, well or not. */
  end(mail: Mail, alive = true): void {
    const line = this.lineOf(mail)
    if (line === undefined || mail.kept === undefined) return
    const { kept } = mail
    line.mails += 1
    line.alive &&= alive
    mail.kept = undefined
    this.pool.give(kept, this.now)
  }

  get waiting(): ReadonlyArray<Mail> {
    return this.mails.filter(({ ends }) => ends.length === 0)
  }

  get using(): ReadonlyArray<Mail> {
    return this.mails.filter(({ kept }) => kept !== undefined)
  }

  get opening(): ReadonlyArray<Opening> {
    return this.openings.filter(({ ended }) => !ended)
  }
}

describe("a pool", () => {
  it("opens as many as wait and may, and serves in turn", () => {
    const world = new World(2)
    const mails = [world.arrive(), world.arrive(), world.arrive()]
    expect(world.openings).toHaveLength(2)
    world.opening[1]?.succeed()
    expect(mails.map(({ ends }) => ends)).toEqual([["served"], [], []])
    world.end(world.using[0] ?? world.arrive())
    expect(mails.map(({ ends }) => ends)).toEqual([["served"], ["served"], []])
  })

  it("keeps the promise of its size while a connection that was given up has not ended", () => {
    const world = new World(1)
    const first = world.arrive()
    const second = world.arrive()
    Progress.abandon(first.progress)
    Progress.abandon(second.progress)
    expect([first.ends, second.ends, world.openings.map(({ givenUp }) => givenUp)]).toEqual([
      ["gone"],
      ["gone"],
      [true]
    ])
    const third = world.arrive()
    expect(world.openings).toHaveLength(1)
    world.openings[0]?.succeed()
    expect([world.lines[0]?.closed, third.ends, world.openings.length]).toEqual([1, [], 2])
    world.openings[1]?.succeed()
    expect(third.ends).toEqual(["served"])
  })

  it("has nobody wait beside a connection that was given back meanwhile", () => {
    const world = new World(1)
    const first = world.arrive()
    world.openings[0]?.succeed()
    // The second has looked, and the first ends before it waits.
    expect(world.pool.take()).toBeUndefined()
    const second: Mail = { progress: Progress.unsafeMake(), ends: [], kept: undefined }
    world.end(first)
    world.wait(second)
    expect(second.ends).toEqual(["served"])
  })

  it("has nobody wait who was abandoned meanwhile", () => {
    const world = new World(1)
    const mail: Mail = { progress: Progress.unsafeMake(), ends: [], kept: undefined }
    Progress.abandon(mail.progress)
    world.wait(mail)
    expect([mail.ends, world.openings.length]).toEqual([["gone"], 0])
  })

  it("cuts at its end what is in use, and closes what is idle", () => {
    const world = new World(2)
    const mails = [world.arrive(), world.arrive(), world.arrive()]
    world.opening[0]?.succeed()
    world.opening[0]?.succeed()
    expect(world.lines.map(({ resting }) => resting)).toEqual([true, true])
    world.end(world.using[0] ?? world.arrive())
    world.end(world.using[0] ?? world.arrive())
    world.pool.close(failure("ended"))
    expect(mails.map(({ ends }) => ends)).toEqual([["served"], ["served"], ["served"]])
    expect(world.lines.map(({ closed, cut }) => [closed, cut])).toEqual([
      [0, true],
      [1, false]
    ])
  })

  it("has nobody wait who comes after its end", () => {
    const world = new World(1)
    world.pool.close(failure("ended"))
    expect([world.arrive().ends, world.openings.length]).toEqual([["failed"], 0])
  })

  it("fails nobody by the failure of another's connection, as long as there is one for each who waits", () => {
    const world = new World(3)
    const first = world.arrive()
    world.opening[0]?.succeed()
    const [second, third] = [world.arrive(), world.arrive()]
    world.end(first)
    expect([second.ends, third.ends, world.opening.length]).toEqual([["served"], [], 2])
    world.opening[0]?.fail()
    expect(third.ends).toEqual([])
    world.opening[0]?.fail()
    expect(third.ends).toEqual(["failed"])
  })

  it("fails all who wait where one after another is refused at once, however many they are", () => {
    const world = new World(1)
    const mails = Array.from({ length: 5_000 }, () => world.arrive())
    world.atOnce = "fail"
    world.opening[0]?.fail()
    expect(mails.every(({ ends }) => ends.join() === "failed")).toBe(true)
  })

  it("keeps none that were open or being opened when it was told to forget", () => {
    const world = new World(3)
    const inUse = world.arrive()
    world.opening[0]?.succeed()
    const idle = world.arrive()
    world.opening[0]?.succeed()
    world.end(idle)
    const waiting = [world.arrive(), world.arrive()]
    expect([waiting[0]?.kept, world.opening.length]).toEqual([world.lines[1]?.kept, 1])
    world.pool.forget()
    world.opening[0]?.succeed()
    // The next one asks anew.
    expect([world.lines[2]?.closed, waiting[1]?.ends, world.opening.length]).toEqual([1, [], 1])
    world.end(inUse)
    expect(world.lines[0]?.closed).toBe(1)
  })

  it("loses nothing and serves everybody once, whatever happens", () => {
    const step = fc.record({
      kind: fc.constantFrom(
        ...(["arrive", "arrive", "abandon", "succeed", "succeed", "fail", "end", "end", "break", "die"] as const),
        ...(["forget", "sweep", "atOnce"] as const)
      ),
      pick: fc.nat(100)
    })
    const pick = <A>(items: ReadonlyArray<A>, index: number): A | undefined => items[index % Math.max(1, items.length)]

    const act = (world: World, { kind, pick: index }: { readonly kind: string; readonly pick: number }) => {
      const mail = pick(world.using, index)
      switch (kind) {
        case "arrive":
          world.arrive()
          break
        // Whoever waits, and whoever was served in the same turn or long ago.
        case "abandon": {
          const left = pick(world.mails, index)
          if (left !== undefined) Progress.abandon(left.progress)
          break
        }
        case "succeed":
          pick(world.opening, index)?.succeed()
          break
        case "fail":
          pick(world.opening, index)?.fail()
          break
        case "end":
          if (mail !== undefined) world.end(mail)
          break
        case "break":
          if (mail !== undefined) world.end(mail, false)
          break
        case "die": {
          const line = pick(world.lines, index)
          if (line !== undefined) line.alive = false
          break
        }
        case "forget":
          world.pool.forget()
          break
        case "sweep":
          world.now += index
          world.pool.sweep(world.now - 50)
          break
        case "atOnce":
          world.atOnce = pick(["succeed", "fail", undefined] as const, index)
          break
      }
    }

    const look = (world: World, max: number) => {
      const used = world.using.map(({ kept }) => kept)
      expect(new Set(used).size).toBe(used.length)
      const open = world.lines.filter(({ closed }) => closed === 0)
      for (const line of world.lines) {
        expect(line.closed).toBeLessThan(2)
        if (line.closed === 1) expect(used).not.toContain(line.kept)
      }
      expect(open.length + world.opening.length).toBeLessThanOrEqual(max)
      for (const { ends } of world.mails) expect(ends.length).toBeLessThan(2)
      // Nobody is left waiting: one is opened for each for whom there is room, and none is free beside them.
      const leaving = world.opening.filter(({ givenUp }) => givenUp).length
      const coming = world.opening.length - leaving
      if (world.waiting.length > 0) expect(open.length).toBe(used.length)
      expect(coming).toBeGreaterThanOrEqual(Math.min(world.waiting.length, max - used.length - leaving))
      for (const mail of world.waiting) expect(mail.progress.abandoned).toBe(false)
    }

    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        fc.boolean(),
        (max, steps, late) => {
          const world = new World(max)
          for (const it of steps) {
            act(world, it)
            look(world, max)
          }
          const waiting = world.waiting
          world.pool.close(failure("ended"))
          expect(waiting.every(({ ends }) => ends.join() === "failed")).toBe(true)
          for (const opening of world.opening)
            if (late) opening.succeed()
            else opening.fail()
          for (const mail of world.using) world.end(mail)
          expect(world.lines.every(({ closed }) => closed === 1)).toBe(true)
          expect(world.pool.isEmpty).toBe(true)
          for (const { ends, kept } of world.mails) expect([kept, ends.length]).toEqual([undefined, 1])
        }
      ),
      { numRuns: 3_000 }
    )
  })
})
