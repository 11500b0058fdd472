/**
 * MIME trees as Python's email package pickles them: the bytes that become of them mean the same to Python.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as MimeTree from "../../src/Huey/MimeTree.ts"
import * as Huey from "../../src/Huey.ts"
import * as Mime from "../../src/Mailer/Mime.ts"
import * as Python from "../services/Python.ts"

const fixtures = fileURLToPath(new URL("../fixtures/mime-trees/", import.meta.url))
const samples = fileURLToPath(new URL("../fixtures/huey-messages/", import.meta.url))
const codec = Huey.make()

const read = (bytes: Uint8Array): MimeTree.MimeTree => {
  const body = Either.getOrThrow(codec.decode(bytes)).call.args[3]
  return MimeTree.isMimeTree(body) ? body : expect.fail("the body is no MIME tree")
}

const toBytes = (tree: MimeTree.MimeTree) => Buffer.from(Either.getOrThrow(MimeTree.toBytes(tree)))

/** What Python finds different between the trees of messages and the bytes made of them, by file. */
const differences = (directory: string, files: ReadonlyArray<string>) => {
  const entries = files.map((file) => {
    const pickle = readFileSync(join(directory, file))
    return { pickle: pickle.toString("base64"), mime: toBytes(read(pickle)).toString("base64") }
  })
  const found = Python.run("mime_trees.py", ["compare"], entries)
  return files.map((file, index) => [file, Array.isArray(found) ? found[index] : found])
}

const same = (files: ReadonlyArray<string>) => files.map((file) => [file, null])

describe("a tree means the same to Python as the bytes that become of it", () => {
  it("in the samples of huey 3.2.1 and 3.3.0", () => {
    const files = ["mime-related-image.3.2.1.msg", "mime-related-image.3.3.0.msg"]
    expect(differences(samples, files)).toEqual(same(files))
  })

  it("in 37 kinds, protocols 0 to 5", () => {
    const files = readdirSync(fixtures)
    expect(files.length).toBe(57)
    expect(differences(fixtures, files)).toEqual(same(files))
  })

  it("as this machine's Python pickles them", () => {
    const directory = mkdtempSync(join(tmpdir(), "edumfa-queue-"))
    try {
      Python.run("mime_trees.py", ["write", directory], null)
      const files = readdirSync(directory)
      expect(files).toEqual(readdirSync(fixtures))
      expect(differences(directory, files)).toEqual(same(files))
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

const fixture = (name: string) => readFileSync(join(fixtures, `${name}.msg`))
const written = (name: string) => toBytes(read(fixture(name))).toString("latin1")

describe("the bytes", () => {
  it("are the same at each attempt, and what the mailer takes", () => {
    for (const file of readdirSync(fixtures)) {
      const bytes = toBytes(read(readFileSync(join(fixtures, file))))
      expect(toBytes(read(readFileSync(join(fixtures, file)))).equals(bytes)).toBe(true)
      expect(Either.isRight(Mime.parse(bytes)), file).toBe(true)
    }
  })

  it("of a notification with a QR image", () => {
    const [header, ...parts] = written("edumfa-html.p5").split(/\r\n--===============[0-9a-f]{32}==(?:--)?\r\n/)
    expect(header).toMatch(
      /^Content-Type: multipart\/related; boundary="===============[0-9a-f]{32}=="\r\nMIME-Version: 1.0\r\n$/
    )
    expect(parts[0]).toBe(
      [
        'Content-Type: text/html; charset="us-ascii"',
        "MIME-Version: 1.0",
        "Content-Transfer-Encoding: 7bit",
        "",
        '<p>Scan this: <img src="cid:token_image"></p>'
      ].join("\r\n")
    )
    expect(parts[1]).toMatch(/^Content-Type: image\/png\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n/)
    expect(parts.length).toBe(3)
  })

  it("keep a boundary that nothing in the tree holds", () => {
    expect(written("edumfa-boundary.p5")).toContain('boundary="==my=boundary=="')
    expect(written("edumfa-boundary-taken.p5")).not.toContain('boundary="taken"')
    // A program that reads no further than the first characters would end the outer part at the inner one.
    expect(written("edumfa-boundary-prefix.p5")).toMatch(/boundary="={15}.*boundary="b1"/s)
  })
})

/** Pickled text, and a tree's state as Python has it, of pickled values. */
const text = (value: string) => {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return `X${length.toString("latin1")}${bytes.toString("latin1")}`
}
const object = (module: string, name: string, state?: Readonly<Record<string, string>>) =>
  `c${module}\n${name}\n)\x81${
    state === undefined
      ? ""
      : `}(${Object.entries(state)
          .map(([key, value]) => text(key) + value)
          .join("")}ub`
  }`
const list = (...items: ReadonlyArray<string>) => `](${items.join("")}e`
const headers = (...pairs: ReadonlyArray<readonly [string, string]>) =>
  list(...pairs.map(([name, value]) => `${text(name)}${text(value)}\x86`))
const whole = {
  policy: object("email._policybase", "Compat32"),
  _headers: headers(["Content-Type", "text/plain"], ["MIME-Version", "1.0"]),
  _unixfrom: "N",
  _payload: text("Hello"),
  _charset: "N",
  preamble: "N",
  epilogue: "N",
  defects: "]",
  _default_type: text("text/plain")
}
const part = (state: Partial<typeof whole> = {}) => object("email.mime.text", "MIMEText", { ...whole, ...state })
const messageWith = (body: string) =>
  Buffer.from(`\x80\x04chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNK\0K\0N(NNN${body}t}t\x81.`, "latin1")

const detail = (body: string) =>
  Either.match(codec.decode(messageWith(body)), {
    onLeft: ({ reason, detail }) => `${reason}: ${detail}`,
    onRight: () => "read"
  })

describe("a state", () => {
  it("as Python has it is read", () => {
    expect(toBytes(read(messageWith(part()))).toString()).toBe(
      "Content-Type: text/plain\r\nMIME-Version: 1.0\r\n\r\nHello"
    )
  })

  it.each([
    ["none", object("email.mime.text", "MIMEText"), "email.mime.text.MIMEText with no policy"],
    [
      "an attribute of its own",
      object("email.mime.text", "MIMEText", { ...whole, as_bytes: "N" }),
      "email.mime.text.MIMEText with an attribute as_bytes that is not read"
    ],
    ["a payload of bytes", part({ _payload: "C\x01x" }), "email.mime.text.MIMEText with another kind of _payload"],
    [
      "a payload of texts",
      part({ _payload: list(text("x")) }),
      "email.mime.text.MIMEText with another kind of _payload"
    ],
    [
      "a message of huey as a part",
      part({ _payload: list("chuey.registry\nMessage\n)\x81") }),
      "email.mime.text.MIMEText with another kind of _payload"
    ],
    ["headers in a tuple", part({ _headers: ")" }), "email.mime.text.MIMEText with another kind of _headers"],
    [
      "a header of three",
      part({ _headers: list(`${text("a")}${text("b")}${text("c")}\x87`) }),
      "email.mime.text.MIMEText with another kind of _headers"
    ],
    [
      "a header that is a number",
      part({ _headers: list(`${text("a")}K\x01\x86`) }),
      "email.mime.text.MIMEText with another kind of _headers"
    ],
    ["another policy", part({ policy: "N" }), "email.mime.text.MIMEText with another kind of policy"],
    ["a defect", part({ defects: list("N") }), "email.mime.text.MIMEText with another kind of defects"],
    [
      "a state of a policy that is unknown",
      part({ policy: object("email._policybase", "Compat32", { __init__: "N" }) }),
      "email._policybase.Compat32 with an attribute __init__ that is not read"
    ],
    ["a state of huey's message", "chuey.registry\nMessage\n)\x81}b", "huey.registry.Message with a state"],
    ["arguments", "cemail.mime.text\nMIMEText\nN\x85\x81", "email.mime.text.MIMEText of arguments that are not read"],
    [
      "a class of the same package",
      "cemail.mime.text\nMIMENonMultipart\n",
      "the name email.mime.text.MIMENonMultipart"
    ],
    ["another policy's class", "cemail.policy\nEmailPolicy\n", "the name email.policy.EmailPolicy is not on the list"]
  ])("%s is refused", (_, body, expected) => {
    expect(detail(body)).toContain(`Forbidden: ${expected}`)
  })

  it("of a part that stands where huey's message should is no message", () => {
    const pickle = Buffer.from(`\x80\x04${object("email.message", "Message", whole)}.`, "latin1")
    expect(Either.flip(codec.decode(pickle))).toMatchObject(
      Either.right({ reason: "NotMessage", detail: "the pickle holds no huey.registry.Message" })
    )
  })

  it("that comes twice, or as something else, is refused", () => {
    expect(detail(`${part()}}b`)).toContain("a state for something that has none, or has one")
    expect(detail("cemail.mime.text\nMIMEText\n)\x81Nb")).toContain("a state that is no dict")
    expect(detail("]}b")).toContain("a state for something that has none, or has one")
  })

  it("is checked as it is in the end, not as it was when it was set", () => {
    // The list of the payload is remembered, and gets a number when all has been assigned.
    const changed = part({ _payload: "]q\x07" }).concat("h\x07K\x01a0")
    expect(detail(changed)).toContain("another kind of _payload")
  })

  it("that holds itself is refused", () => {
    expect(detail(part({ _payload: "]q\x07h\x07a" }))).toContain("Limit: nested more than 32 deep")
    expect(detail(`${part({ _payload: "]q\x07" })}q\x08h\x07h\x08a0`)).toContain("Limit: nested more than 32 deep")
  })

  it("in which a part is shared without end is refused", () => {
    let tree = part()
    for (let level = 1; level <= 6; level++) {
      const index = String.fromCharCode(level)
      tree = part({ _payload: `](${tree}q${index}${`h${index}`.repeat(4)}e` })
    }
    expect(detail(tree)).toContain("Limit: more than 10000 values")
  })
})

describe("a tree", () => {
  const bytesOf = (state: Partial<typeof whole>) =>
    Either.map(MimeTree.toBytes(read(messageWith(part(state)))), (bytes) => Buffer.from(bytes).toString())
  const multipart = (type: string, ...texts: ReadonlyArray<string>) =>
    bytesOf({
      _headers: headers(["Content-Type", type]),
      _payload: list(...texts.map((payload) => part({ _payload: text(payload) })))
    })
  const withHeader = (name: string, value: string) => bytesOf({ _headers: headers([name, value]) })

  it.each([
    ["a header in a header", () => withHeader("Subject", "a\nBcc: evil@evil.example"), "header Subject"],
    ["a header in a header after a bare CR", () => withHeader("X", "a\r\rBcc:evil@evil.example"), "header X"],
    ["a header in a name", () => withHeader("X: y\r\nBcc", "evil@evil.example"), "header of a name that is none"],
    ["a name without characters", () => withHeader("", "x"), "header of a name that is none"],
    ["a name beyond ASCII", () => withHeader("Ü", "x"), "header of a name that is none"],
    [
      "a name that may be a code, with a value that is none",
      () => withHeader("X-493817", "a\nB: c"),
      "header of a name that is none"
    ],
    ["a value beyond measure", () => withHeader("X", "x ".repeat(10_000)), "header X"],
    ["a word that cannot be folded", () => withHeader("X", "x".repeat(1_200)), "line too long: header X"],
    ["parts of a text", () => bytesOf({ _payload: list(part()) }), "parts"],
    [
      "two messages in a message",
      () => bytesOf({ _headers: headers(["Content-Type", "message/rfc822"]), _payload: list(part(), part()) }),
      "parts"
    ],
    ["text that nobody encoded", () => bytesOf({ _payload: text("grüße") }), "encoding"],
    [
      "octets that are no base64",
      () =>
        bytesOf({
          _headers: headers(["Content-Transfer-Encoding", "base64"]),
          _payload: "X\x03\0\0\0\xed\xb2\x80"
        }),
      "encoding"
    ],
    [
      "octets in a multipart that is text",
      () => bytesOf({ _headers: headers(["Content-Type", "multipart/mixed"]), _payload: "X\x03\0\0\0\xed\xb2\x80" }),
      "encoding"
    ]
  ] as const)("with %s is refused", (_, bytes, fault) => {
    expect(bytes()).toEqual(Either.left(fault))
  })

  it.each([
    ["a line break that is no header's", "Description", "a\r\nb\nc", "Description: a b c"],
    ["a fold", "Description", "a\n b", "Description: a\r\n b"],
    ["a line break at the end", "Description", "a\r\n\n", "Description: a"],
    ["controls", "Description", "a\0b\x1bc\vd", "Description: abcd"],
    ["a fold of nothing", "Description", "a\n \n b", "Description: a b"],
    ["text beyond ASCII", "Description", "für\n alle", "Description: =?UTF-8?B?ZsO8ciBhbGxl?="]
  ])("has one header with %s", (_, name, value, line) => {
    expect(withHeader(`Content-${name}`, value)).toEqual(Either.right(`Content-${line}\r\n\r\nHello`))
  })

  it.each([
    ["beside the parts", { preamble: text("x".repeat(60)), _payload: "]" }],
    ["in the parts", { _payload: list(part({ _payload: text("x".repeat(60)) })) }],
    ["in a header", { _headers: headers(["Content-Type", "multipart/mixed"], ["X", "x".repeat(60)]) }],
    ["in line breaks, which have two octets each", { _payload: text("\n".repeat(60)) }]
  ])("is refused where it has more octets than allowed %s", (_, state) => {
    const tree = (state: Partial<typeof whole>) =>
      read(messageWith(part({ _headers: headers(["Content-Type", "multipart/mixed"]), ...state })))
    const octets = toBytes(tree(state)).length
    expect(Either.isRight(MimeTree.toBytes(tree(state), octets))).toBe(true)
    expect(MimeTree.toBytes(tree(state), octets - 1)).toEqual(Either.left("size"))
  })

  it("is refused where its headers are more than any mail has, in single ones of measure", () => {
    const many = (count: number) =>
      bytesOf({ _headers: headers(...Array.from({ length: count }, () => ["X", "x ".repeat(8_000)] as const)) })
    expect(Either.isRight(many(64))).toBe(true)
    expect(many(70)).toEqual(Either.left("headers"))
  })

  it("has no header in its type by default either", () => {
    expect(bytesOf({ _headers: "]", _default_type: text("multipart/mixed\nBcc: evil@evil.example") })).toEqual(
      Either.left("header Content-Type")
    )
  })

  it("says once what describes its body: the first time counts", () => {
    const twice = headers(["Content-Type", "text/plain"], ["content-type", "text/html"], ["X", "1"], ["X", "2"])
    expect(bytesOf({ _headers: twice })).toEqual(Either.right("Content-Type: text/plain\r\nX: 1\r\nX: 2\r\n\r\nHello"))
  })

  it.each([
    ["missing", "multipart/mixed; charset=utf-8", 'multipart/mixed; charset=utf-8; boundary="{}"'],
    ["empty", 'multipart/mixed; boundary=""', 'multipart/mixed; boundary="{}"'],
    ["long", `multipart/mixed; boundary=${"b".repeat(71)}; a=b`, 'multipart/mixed; a=b; boundary="{}"'],
    ["with a control", 'multipart/mixed; boundary="a\x1bb"', 'multipart/mixed; boundary="{}"'],
    ["after text that has to be encoded", "multipart/mixed; x=ü; boundary=b", 'multipart/mixed; boundary="{}"'],
    ["with a line break", 'multipart/mixed; boundary="a\r\n b\r\nc"', 'multipart/mixed; boundary="{}"'],
    ["with a quote", 'multipart/mixed; boundary="a\\"b"', 'multipart/mixed; boundary="{}"'],
    ["in pieces", "multipart/mixed; boundary*0=a; boundary*1=b", 'multipart/mixed; boundary="{}"'],
    ["in a quoted parameter", 'multipart/mixed; x="; boundary=y"', 'multipart/mixed; x="; boundary=y"; boundary="{}"']
  ])("has a boundary of ours where its own is %s", (_, type, expected) => {
    const bytes = Either.getOrThrow(multipart(type, "one", "two"))
    const [, boundary = ""] = /boundary="(={15}[0-9a-f]{32}==)"/.exec(bytes) ?? []
    expect(bytes.split("\r\n\r\n")[0]).toBe(`Content-Type: ${expected.replace("{}", boundary)}`)
    expect(bytes.split(`--${boundary}`).length).toBe(4)
  })

  it.each([
    ['multipart/mixed; boundary="a b?"', "--a b?"],
    ["Multipart/Mixed; Boundary = simple ; x=y", "--simple"]
  ])("keeps its own boundary in %s", (type, line) => {
    const bytes = Either.getOrThrow(multipart(type, "one"))
    expect(bytes).toContain(`Content-Type: ${type}\r\n\r\n${line}\r\n`)
    expect(bytes.endsWith(`\r\n\r\none\r\n${line}--\r\n`)).toBe(true)
  })

  it("has the long lines of quoted-printable wrapped, and all others as Python wrote them", () => {
    const lines = ["a =", "b=20", "x".repeat(1_000), "=C3=BC".repeat(170), "", "c"]
    const bytes = Either.getOrThrow(
      bytesOf({
        _headers: headers(["Content-Transfer-Encoding", "quoted-printable"]),
        _payload: text(lines.join("\n"))
      })
    )
    const [, ...content] = bytes.split("\r\n\r\n")
    const written = content.join("\r\n\r\n").split("\r\n")
    expect(written.slice(0, 2)).toEqual(lines.slice(0, 2))
    expect(written.slice(-2)).toEqual(lines.slice(-2))
    expect(written.slice(2, -2).every((line) => line.length <= 76)).toBe(true)
    expect(written.slice(2).join("\n").replaceAll("=\n", "")).toBe(lines.slice(2).join("\n"))
  })

  it("leaves out what stands beside the parts where it cannot be sent", () => {
    const mixed = (state: Partial<typeof whole>) =>
      bytesOf({ _headers: headers(["Content-Type", "multipart/mixed; boundary=b"]), _payload: "]", ...state })
    expect(mixed({ preamble: text("before"), epilogue: text("after\n") })).toEqual(
      Either.right("Content-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b\r\n\r\n--b--\r\nafter\r\n")
    )
    expect(mixed({ preamble: text("für"), epilogue: text("x".repeat(999)) })).toEqual(
      Either.right("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n")
    )
    expect(Either.getOrThrow(mixed({ preamble: text("--b--") }))).toMatch(/boundary="={15}/)
  })
})

describe("a hostile tree of many megabytes", () => {
  const megabyte = 1024 * 1024
  const encoded = (encoding: string, payload: string) =>
    part({ _headers: headers(["Content-Transfer-Encoding", encoding]), _payload: text(payload) })
  const charset = (name: string) =>
    object("email.charset", "Charset", {
      input_charset: text(name),
      header_encoding: "N",
      body_encoding: "N",
      output_charset: "N",
      input_codec: "N",
      output_codec: "N"
    })
  const within = (levels: number, leaf: string) => {
    let tree = leaf
    for (let level = 0; level < levels; level++) {
      tree = part({ _headers: headers(["Content-Type", `multipart/mixed; boundary=b${level}`]), _payload: list(tree) })
    }
    return tree
  }
  const chunk = (name: string) => `${text("x".repeat((3 * megabyte) / 500))}h${name}\x86`
  /** As a header has them: in two charsets by turns, so that text and encoded text meet at each. */
  const chunks = () =>
    object("email.header", "Header", {
      _charset: `${charset("utf-8")}q\x01`,
      _continuation_ws: text(" "),
      _chunks: `](${text("")}${charset("us-ascii")}q\x02\x86${`${chunk("\x01")}${chunk("\x02")}`.repeat(250)}e`,
      _maxlinelen: "K\0",
      _headerlen: "K\0"
    })

  /** Milliseconds of the processor's time, for other tests keep the machine busy; the shortest of three. */
  const cost = (act: () => unknown): number => {
    const times = [1, 2, 3].map(() => {
      const before = process.cpuUsage()
      act()
      const { system, user } = process.cpuUsage(before)
      return (user + system) / 1_000
    })
    return Math.min(...times)
  }
  const breaks = "\n".repeat(5 * megabyte)

  it.each([
    ["line breaks", () => within(8, part({ _payload: text(breaks) }))],
    ["lines that begin as boundaries do", () => within(8, part({ _payload: text("--\n".repeat(1.7 * megabyte)) }))],
    [
      "short lines of quoted-printable",
      () => encoded("quoted-printable", `${"x".repeat(999)}${"\na".repeat(1.4 * megabyte)}`)
    ],
    ["a header in pieces", () => part({ _headers: list(`${text("X")}${chunks()}\x86`) })]
  ])(`holds nothing up with %s`, (_, body) => {
    const tree = read(messageWith(body()))
    // A second or two. This machine's own, so that it may be slow.
    const limit = cost(() => breaks.replaceAll("\n", "\r\n"))
    expect(cost(() => MimeTree.toBytes(tree))).toBeLessThan(limit)
  })
})
