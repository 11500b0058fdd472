/**
 * Users who log in over kept connections, and measure how long each login takes.
 */
import { Agent, request } from "node:http"
import { Stopwatch } from "../Stopwatch.ts"
import * as Program from "./Program.ts"

const { count, port, users, warmup, way } = Program.options<Program.LoginsOptions>()

const agent = new Agent({ keepAlive: true, maxSockets: users })

const login = (user: string) =>
  new Promise<void>((resolve, reject) => {
    const post = request({ host: "127.0.0.1", port, agent, method: "POST", path: `/${way}/${user}` }, (response) => {
      response.resume()
      response.on("end", () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`a login answered ${response.statusCode}`))
      )
    })
    post.on("error", reject)
    post.end()
  })

const watch = new Stopwatch(count, warmup)
let begun = 0
const user = async (name: string) => {
  while (begun < count + warmup) {
    begun += 1
    const began = performance.now()
    await login(name)
    watch.lap(began, performance.now())
  }
}
await Promise.all(Array.from({ length: users }, (_, index) => user(`user${index}`)))
Program.tell(watch.figures())
agent.destroy()
