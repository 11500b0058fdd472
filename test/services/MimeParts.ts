/**
 * The parts of a multipart as the manifests of the samples describe them.
 */

export interface Part {
  readonly content_type: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly decoded_base64: string
}

const decode = (encoding: string | undefined, content: string): Buffer =>
  encoding === "base64" ? Buffer.from(content, "base64") : Buffer.from(content, "latin1")

/** Cuts what follows the header block, by the boundary in the header's Content-Type. */
export const split = (contentType: string, content: string): ReadonlyArray<Part> => {
  const [, boundary = ""] = /boundary="([^"]+)"/.exec(contentType) ?? []
  const [, ...parts] = `\r\n${content}`.split(`\r\n--${boundary}`)
  if (parts.at(-1) !== "--\r\n") throw new Error("the multipart has no end")
  return parts.slice(0, -1).map((part) => {
    const end = part.indexOf("\r\n\r\n")
    const lines = part.slice(2, end).split("\r\n")
    const headers = lines.map((line) => line.split(/: (.*)/s)).map(([name = "", value = ""]) => [name, value] as const)
    const header = (name: string) => headers.find(([key]) => key === name)?.[1]
    return {
      content_type: header("Content-Type")?.split(";")[0] ?? "",
      headers,
      decoded_base64: decode(header("Content-Transfer-Encoding"), part.slice(end + 4)).toString("base64")
    }
  })
}
