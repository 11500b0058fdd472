import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Mailbox from "../../src/Mailer/Mailbox.ts"

/** Phrase and address, or the rule broken. */
const read = (text: string) =>
  Either.match(Mailbox.parse(text), {
    onLeft: (fault) => fault,
    onRight: ({ address, phrase }) => [phrase, address]
  })

describe("accepted", () => {
  it.each([
    ["ada@example.org", "", "ada@example.org"],
    ["ada@example.org\r\n", "", "ada@example.org"],
    ["  ada@example.org\t", "", "ada@example.org"],
    ["<ada@example.org>", "", "ada@example.org"],
    ["< ada@example.org >", "", "ada@example.org"],
    ["Ada Lovelace <ada@example.org>", "Ada Lovelace", "ada@example.org"],
    ["Ada  Lovelace<ada@example.org>", "Ada Lovelace", "ada@example.org"],
    ['"Lovelace, Ada" <ada@example.org>', "Lovelace, Ada", "ada@example.org"],
    ['"A \\"quoted\\" <name>" <ada@example.org>', 'A "quoted" <name>', "ada@example.org"],
    ["Łukasz Größe <l@example.org>", "Łukasz Größe", "l@example.org"],
    ["ada@example.org <ada@example.org>", "ada@example.org", "ada@example.org"],
    ["Ada (IT; room 7: desk) <ada@example.org>", "Ada", "ada@example.org"],
    ["ada@example.org (Ada (the first) \\) Lovelace)", "", "ada@example.org"],
    ["root", "", "root"],
    ["<root>", "", "root"],
    ["o'brien@example.org", "", "o'brien@example.org"],
    ["j..d@example.org", "", "j..d@example.org"],
    [".a.@example.org", "", ".a.@example.org"],
    ["a!#$%&'*+-/=?^_`{|}~z@example.org", "", "a!#$%&'*+-/=?^_`{|}~z@example.org"],
    ['"ada lovelace"@example.org', "", '"ada lovelace"@example.org'],
    ['"a,b;c"@example.org', "", '"a,b;c"@example.org'],
    ["a@my_host.local", "", "a@my_host.local"],
    ["a@localhost", "", "a@localhost"],
    ["a@Example.ORG.", "", "a@Example.ORG."],
    ["a@[192.0.2.1]", "", "a@[192.0.2.1]"],
    ["a@[IPv6:2001:db8::1]", "", "a@[IPv6:2001:db8::1]"],
    ["ada@bücher.example", "", "ada@xn--bcher-kva.example"],
    ["ada@büch_er.example", "", "ada@xn--bch_er-3ya.example"],
    ["+49 170 1234567@sms.example.org", "", "+491701234567@sms.example.org"],
    ["0170/123 45-67@sms.example.org", "", "0170/12345-67@sms.example.org"],
    ["+49 170 1234567", "", "+491701234567"],
    ["<+49 170 1@sms.example.org>", "", "+491701@sms.example.org"]
  ])("%j", (text, phrase, address) => {
    expect(read(text)).toEqual([phrase, address])
  })

  it("a local part outside ASCII, which needs SMTPUTF8", () => {
    expect(Mailbox.parse("Jürgen <jürgen@example.org>")).toEqual(
      Either.right({ phrase: "Jürgen", address: "jürgen@example.org", domain: "example.org", smtpUtf8: true })
    )
    expect(Mailbox.parse("ada@bücher.example")).toEqual(
      Either.right({
        phrase: "",
        address: "ada@xn--bcher-kva.example",
        domain: "xn--bcher-kva.example",
        smtpUtf8: false
      })
    )
  })

  it("900 octets, not 901", () => {
    expect(read(`${"a".repeat(888)}@example.org`)).toEqual(["", `${"a".repeat(888)}@example.org`])
    expect(read(`${"a".repeat(889)}@example.org`)).toBe("too long")
    expect(read(`${"ä".repeat(445)}@example.org`)).toBe("too long")
  })
})

describe("refused", () => {
  it.each([
    ["ada@example.org\r\nBcc: evil@example.org", "control character"],
    ["ada\n@example.org", "control character"],
    ["ada\u0000@example.org", "control character"],
    ["ada\t@example.org", "control character"],
    ["ada\u007f@example.org", "control character"],
    ["ada\u0085@example.org", "control character"],
    ["ada\u2028@example.org", "control character"],
    ["ada\u202e@example.org", "control character"],
    ["ada\u2066@example.org", "control character"],
    ["A\ud800da <ada@example.org>", "control character"],
    ["team: evil@example.org, x@example.org;", "group syntax"],
    ["team:;", "group syntax"],
    ["mailto:ada@example.org", "group syntax"],
    ["a@example.org, b@example.org", "no single mailbox"],
    ["", "no single mailbox"],
    ["<a@example.org> <b@example.org>", "no single mailbox"],
    ["<<a@example.org>>", "no single mailbox"],
    ["<a@example.org> b", "no single mailbox"],
    ["a@example.org>", "unbalanced quote, comment or bracket"],
    ["<a@example.org", "unbalanced quote, comment or bracket"],
    ['"a@example.org', "unbalanced quote, comment or bracket"],
    ["a@example.org (b", "unbalanced quote, comment or bracket"],
    ["a@[192.0.2.1", "unbalanced quote, comment or bracket"],
    ["garbage foo", "local part"],
    ["ada lovelace@example.org", "local part"],
    ["+49 170 x@example.org", "local part"],
    ["@example.org", "local part"],
    ["<>", "local part"],
    ['""@example.org', "local part"],
    ['"a@b"@example.org', "local part"],
    ['"a\\"b"@example.org', "local part"],
    ['"a<b"@example.org', "local part"],
    ['"ä"@example.org', "local part"],
    ['"a"b@example.org', "local part"],
    ["a\u00a0b@example.org", "local part"],
    ["<@relay.example:a@example.org>", "local part"],
    ["a@b@example.org", "domain"],
    ["a@", "domain"],
    ["a@.example.org", "domain"],
    ["a@example..org", "domain"],
    ["a@exam ple.org", "domain"],
    ["a@example.org/x", "domain"],
    ["a@[192.0.2]", "domain"],
    ["a@[IPv6:fe80::1%eth0]", "domain"],
    ["a@[2001:db8::1]", "domain"],
    ["a@ex℀mple.org", "domain"],
    ["a@bü%41.example", "domain"],
    ["a@１２７.0.0.1", "domain"],
    ["a@b\u00fc cher.example", "domain"]
  ])("%j: %s", (text, fault) => {
    expect(read(text)).toBe(fault)
  })

  it("in time that grows with the length only", () => {
    const began = performance.now()
    for (const part of ['"', "(", ",", " ,", "<", "\\", ". ", "@", "ü"]) Mailbox.parse(part.repeat(200_000))
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe("a list", () => {
  const list = (text: string) =>
    Either.map(Mailbox.parseList(text), (entries) =>
      entries.map(({ mailbox, source }) => [
        source,
        Either.match(mailbox, { onLeft: (fault) => fault, onRight: ({ address }) => address })
      ])
    )

  it("is split at commas and semicolons outside quotes, comments and angle brackets", () => {
    expect(list('a@x, "B, b" <b@x>;c@x (d@x, e@x),, ;<"f,f"@x>')).toEqual(
      Either.right([
        ["a@x", "a@x"],
        ['"B, b" <b@x>', "b@x"],
        ["c@x (d@x, e@x)", "c@x"],
        ['<"f,f"@x>', '"f,f"@x']
      ])
    )
  })

  it("keeps what is good beside what is bad", () => {
    expect(list("a@x, b b@x")).toEqual(
      Either.right([
        ["a@x", "a@x"],
        ["b b@x", "local part"]
      ])
    )
  })

  it("is refused whole where nobody can tell its mailboxes apart", () => {
    expect(list("a@x, team: b@x;")).toEqual(Either.left("group syntax"))
    expect(list('a@x, "b@x')).toEqual(Either.left("unbalanced quote, comment or bracket"))
    expect(list("a@x, b\r@x")).toEqual(Either.left("control character"))
  })
})
