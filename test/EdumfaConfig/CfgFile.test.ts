import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { type Assignment, type CfgFile, decode, parse, parseLiteral } from "../../src/EdumfaConfig/CfgFile.ts"

const file = (source: string): CfgFile => Either.getOrThrowWith(parse(source), (error) => error)

const assigned = (source: string, name = "A"): Assignment | undefined => file(source).assignments.get(name)

const value = (expression: string) => {
  const found = assigned(`A = ${expression}\n`)
  return found?._tag === "Literal" ? found.value : found
}

const problem = (source: string) => Either.match(parse(source), { onLeft: (error) => error.message, onRight: () => "" })

describe("literals", () => {
  it.each<[expression: string, value: unknown]>([
    ["'x'", "x"],
    ['"it\'s # not a comment"', "it's # not a comment"],
    ["'''a\nb'''", "a\nb"],
    ['"""a "quoted" b"""', 'a "quoted" b'],
    ["''", ""],
    ["''''''", ""],
    ["u'x'", "x"],
    ["U'x'", "x"],
    ["r'a\\nb'", "a\\nb"],
    ["R'a\\'b'", "a\\'b"],
    ["b'x\\xff'", new Uint8Array([120, 255])],
    ["Rb'\\x41'", new Uint8Array([92, 120, 52, 49])],
    ["bR'x'", new Uint8Array([120])],
    ["b'\\u0041\\N{X}\\777'", new Uint8Array([...Buffer.from("\\u0041\\N{X}"), 255])],
    ["'\\a\\b\\f\\n\\r\\t\\v\\\\\\'\\\"'", "\x07\b\f\n\r\t\v\\'\""],
    ["'\\x41\\u00e9\\U0001F600'", "Aé😀"],
    ["'\\0\\12\\1234\\8'", "\0\nS4\\8"],
    ["'\\q\\d'", "\\q\\d"],
    ["'a\\\nb'", "ab"],
    ["'a' \"b\" r'\\c'", "ab\\c"],
    ["('a'\n   # comment\n   'b')", "ab"],
    ["'a' \\\n 'b'", "ab"],
    ["(('a'))", "a"],
    ["'pässwörd'", "pässwörd"],
    ["0", 0],
    ["00", 0],
    ["6_379", 6379],
    ["0x1F", 31],
    ["0X_1f", 31],
    ["0o17", 15],
    ["0b1_01", 5],
    ["9007199254740993", 9007199254740993n],
    ["-9007199254740993", -9007199254740993n],
    ["1.5", 1.5],
    [".5", 0.5],
    ["5.", 5],
    ["-5.", -5],
    ["5.e3", 5000],
    ["[1., 2.]", [1, 2]],
    ["1e3", 1000],
    ["1_0.2_5E-1", 1.025],
    ["08.5", 8.5],
    ["-1", -1],
    ["+1", 1],
    ["-(-1)", 1],
    ["True", true],
    ["False", false],
    ["None", null],
    ["[]", []],
    ["()", []],
    ["(1,)", [1]],
    ["1, 'b'", [1, "b"]],
    ["1,", [1]],
    ["[1, ('a', None), [True],]", [1, ["a", null], [true]]],
    ["{1, 2}", [1, 2]],
    ["{}", {}],
    ["{'a': {'b.c:d': [1]}, 5: 'five', 'a' 'b': 2,}", { a: { "b.c:d": [1] }, "5": "five", ab: 2 }],
    ["{'a': 1, 'a': 2}", { a: 2 }],
    ["logging.INFO", 20],
    ["logging.WARN", 30],
    ["logging.NOTSET", 0]
  ])("%s", (expression, expected) => {
    expect(value(expression)).toStrictEqual(expected)
  })

  it("keeps __proto__ as a key like others", () => {
    expect(Object.entries(Object(value("{'__proto__': 1}")))).toStrictEqual([["__proto__", 1]])
  })

  it("gives up on nesting that no configuration has", () => {
    expect(value(`${"[".repeat(150)}${"]".repeat(150)}`)).toStrictEqual({
      _tag: "Computed",
      source: `${"[".repeat(59)}…`,
      line: 1
    })
  })

  it("reads a literal alone", () => {
    expect(parseLiteral("{'a': 1}")).toStrictEqual({ a: 1 })
    expect(parseLiteral("True")).toBe(true)
    expect(parseLiteral("True; False")).toBe(undefined)
    expect(parseLiteral("a b")).toBe(undefined)
    expect(parseLiteral("'a")).toBe(undefined)
    expect(parseLiteral("A = 1")).toBe(undefined)
    expect(parseLiteral("")).toBe(undefined)
  })
})

describe("computed", () => {
  it.each<[expression: string, shown: string]>([
    ["os.environ['REDIS_URL']", "os.environ['REDIS_URL']"],
    ["os.environ.get('X', 'hunter2')", "os.environ.get('X', …)"],
    ["os.getenv('PORT', 6379)", "os.getenv('PORT', …)"],
    ["f'redis://:{pw}@host'", "…"],
    ["'redis://:hunter2@' + host", "… + host"],
    ["'hunter2'.strip()", "….strip()"],
    ["'hunter2' 'hunter2' % x", "… % x"],
    ["str(1234)", "str(…)"],
    ["{'a': 'hunter2'}['a']", "{…: …}['a']"],
    ["BASE", "BASE"],
    ["60 * 60", "… * …"],
    ["(x # hunter2\n  + y)", "(x + y)"],
    [
      "a_very_long_name + another_very_long_name + one_more_long_name",
      `a_very_long_name + another_very_long_name + one_more_long_n…`
    ],
    ["'\\N{BULLET}'", "…"],
    ["1j", "…"],
    ["5.j", "…"],
    ["not True", "not True"],
    ["~1", "~…"],
    ["-True", "-True"],
    ["[*x]", "[*x]"],
    ["{**x}", "{**x}"],
    ["[x for x in y]", "[x for x in y]"],
    ["'a' if x else 'b'", "… if x else …"],
    ["logging.OTHER", "logging.OTHER"],
    ["log.INFO", "log.INFO"],
    ["lambda: 1", "lambda: …"],
    ["...", "..."]
  ])("%s", (expression, shown) => {
    expect(value(expression)).toStrictEqual({ _tag: "Computed", source: shown, line: 1 })
  })

  it.each<[source: string, how: string, line: number]>([
    ["A = 1\nif x:\n  A = 2\n", "assigned inside an if statement", 3],
    ["if x:\n  pass\nelse:\n  if y: A = 2\n", "assigned inside an if statement", 4],
    ["for x in y:\n  A = 2\n", "assigned inside a for loop", 2],
    ["while x:\n  A = 2\n", "assigned inside a while loop", 2],
    ["try:\n  A = 2\nexcept E: pass\n", "assigned inside a try statement", 2],
    ["with x:\n  A = 2\n", "assigned inside a with statement", 2],
    ["match x:\n  case 1:\n    A = 2\n", "assigned inside a match statement", 3],
    ["A = 'x'\nA += 'y'\n", "changed by an augmented assignment", 2],
    ["A = 'x'\ndel A\n", "deleted by del", 2],
    ["A = {}\nA['x'] = f()\n", "f()", 2],
    ["A = {}\nA.x.y = f()\n", "f()", 2],
    ["A = []\nA.append(1)\n", "changed by a call of its method", 2],
    ["A = 1\nimport A.b\n", "bound by an import", 2],
    ["A = 1\nfrom x import y as A, z\n", "bound by an import", 2],
    ["A = 1\nfor (A, b) in c: pass\n", "bound by a for loop", 2],
    ["A = 1\nwith x as A: pass\n", "bound by a with statement", 2],
    ["A = 1\ntry: pass\nexcept E as A: pass\n", "bound by an except clause", 2],
    ["A = 1\nprint((A := 2))\n", "assigned by :=", 2],
    ["A = 1\nmatch x:\n  case [A, b]: pass\n", "bound by a match statement", 3],
    ["A = 1\nmatch x:\n  case 1 as A: pass\n", "bound by a match statement", 3],
    ["A = 1\ndef A(): pass\n", "a function or a class", 2],
    ["A = 1\nclass A: pass\n", "a function or a class", 2],
    ["def f():\n  global A\n  A = 2\nA = 1\n", "declared global in a function", 1],
    ["A = 1\nfrom base import *  # comment\n", "from base import *", 2],
    ["A, B = 1, 2\n", "…, …", 1],
    ["(A, *B) = x\n", "x", 1]
  ])("%j", (source, how, line) => {
    expect(assigned(source)).toStrictEqual({ _tag: "Computed", source: how, line })
  })
})

describe("statements", () => {
  it.each<[source: string, value: unknown, line: number]>([
    ["A = 1\nA = 2\n", 2, 2],
    ["if x:\n  A = 1\nA = 2\n", 2, 3],
    ["A: str = 'x'\n", "x", 1],
    ["A = 'x'\nA: str\n", "x", 1],
    ["A = B = 'x'\n", "x", 1],
    ["B = A = 'x'\n", "x", 1],
    ["B = 1; A = 2\n", 2, 1],
    ["(A) = 1\n", 1, 1],
    ["A \\\n  = 1\n", 1, 1],
    ["\n\n# comment\nA = (\n 1)", 1, 4],
    ["A = 1\ndef f():\n  A = 2\n", 1, 1],
    ["A = 1\nclass C:\n  A = 2\n", 1, 1],
    ["A = 1\nx = [A for A in y]\n", 1, 1],
    ["A = 1\nx = lambda A=2: A\n", 1, 1],
    ["A = 1\nimport b.A, c as d\nfrom A import x\n", 1, 1],
    ["A = 1\nfor x in A: y(A)\n", 1, 1],
    ["A = 'x'\nA.lower()\n", "x", 1],
    ["A = 1\nx[A] = 2\n", 1, 1],
    ["from base import *\nA = 1\n", 1, 2],
    ["def f():\n  x = yield\n  yield\nA = 1\n", 1, 4],
    ["\fA = 1\n", 1, 1],
    ["A = 24.*x\nA = 1\n", 1, 2]
  ])("%j", (source, expected, line) => {
    expect(assigned(source)).toStrictEqual({ _tag: "Literal", value: expected, line })
  })

  it("does not know a name that only a function or a comment sets", () => {
    expect(assigned("def f():\n  A = 1\n#A = 2\n'''\nA = 3\n'''\nA: int\n")).toBe(undefined)
  })
})

describe("syntax errors", () => {
  it.each<[source: string, message: string]>([
    ["A = 'x\nB = 1\n", "line 1: a string is not closed"],
    ["B = 1\nA = 'x\\'\n", "line 2: a string is not closed"],
    ["A = f'x{y}\n", "line 1: a string is not closed"],
    ["B = 1\nA = '''x\n", "line 2: a string is not closed"],
    ["B = 1\nA = \n", "line 2: not valid Python"],
    ["A = 1 2\n", "line 1: not valid Python"],
    ["A = (1\n", "line 2: not valid Python"],
    ["A = 1\n)\n", "line 2: not valid Python"],
    ["A = ur'x'\n", "line 1: not valid Python"],
    ["A = 1\0\n", "line 1: not valid Python"],
    ["if x:\nA = 1\n", "line 2: not valid Python"],
    ["B = 1\n A = 1\n", "line 2: an unexpected indent"],
    ["print 'x'\n", "line 1: print is a function since Python 3"],
    ["A = 0777\n", "line 1: not a number in Python"],
    ["A = 1__0\n", "line 1: not a number in Python"],
    ["A = 1_\n", "line 1: not a number in Python"],
    ["A = '\\x1'\n", "line 1: the escape \\x needs 2 hexadecimal digits"],
    ["A = '\\u12g4'\n", "line 1: the escape \\u needs 4 hexadecimal digits"],
    ["A = '\\U00110000'\n", "line 1: the escape \\U needs 8 hexadecimal digits"],
    ["A = b'\\x1'\n", "line 1: the escape \\x needs 2 hexadecimal digits"],
    ["A = b'ä'\n", "line 1: a bytes literal may hold ASCII characters only"],
    ["A = (b'a'\n 'b')\n", "line 2: a string and a bytes literal cannot be joined"],
    ["None = 1\n", "line 1: nothing can be assigned to a constant"]
  ])("%j", (source, message) => {
    expect(problem(source)).toBe(message)
  })
})

describe("bytes", () => {
  const text = (...bytes: ReadonlyArray<string | number>) =>
    Either.match(
      decode(Buffer.concat(bytes.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.of(part))))),
      {
        onLeft: (error) => error.message,
        onRight: (source) => source
      }
    )

  it("takes a byte order mark off", () => {
    expect(text(0xef, 0xbb, 0xbf, "# coding: utf-8\nA = 1")).toBe("# coding: utf-8\nA = 1")
  })

  it("ends lines as Python does", () => {
    expect(text("A\r\nB\rC\n")).toBe("A\nB\nC\n")
  })

  it.each<[source: string, message: string]>([
    ["# -*- coding: latin-1 -*-\n", "line 1: the encoding latin-1 is not supported; save the file as UTF-8"],
    [
      "\ufeff# vim: set fileencoding=cp1252 :\n",
      "line 1: the encoding cp1252 is not supported; save the file as UTF-8"
    ],
    ["#!/x\n# coding=latin1\n", "line 2: the encoding latin1 is not supported; save the file as UTF-8"],
    ["#!/x\n# coding=UTF_8\n", "#!/x\n# coding=UTF_8\n"],
    ["A = 1\n# coding=latin1\n", "A = 1\n# coding=latin1\n"],
    ["\n\n# coding=latin1\n", "\n\n# coding=latin1\n"]
  ])("%j", (source, expected) => {
    expect(text(source)).toBe(expected)
  })

  it("names the line that is not UTF-8", () => {
    expect(text("A = 'ä'\r\nB = '", 0xe4, "'\n")).toBe("line 2: not UTF-8; save the file as UTF-8")
  })
})
