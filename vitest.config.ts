import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // Most tests wait for servers and processes of their own. On two cores vitest would run one file at a time.
    poolOptions: { forks: { minForks: 2, maxForks: 2 } }
  }
})
