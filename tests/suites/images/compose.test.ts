import { expect } from "bun:test";
import { join } from "node:path";

import { output } from "../../support/output.ts";
import { testWith, tool } from "../../support/requirements.ts";

const root = join(import.meta.dir, "..", "..", "..");
const compose = tool("docker-compose", "docker-compose");

testWith(compose)("docker-compose accepts compose.yaml", async () => {
  expect(await output([compose!, "-f", "compose.yaml", "config", "-q"], root)).toEqual({ code: 0, text: "" });
});

testWith(compose)("docker-compose accepts compose.yaml together with deploy/compose.tls.yaml", async () => {
  const files = ["-f", "compose.yaml", "-f", "deploy/compose.tls.yaml"];
  expect(await output([compose!, ...files, "config", "-q"], root)).toEqual({ code: 0, text: "" });
});
