// The configuration of Envoy in docs/proxies.md, checked against Envoy's own definitions. Envoy itself is not run.

import { expect } from "bun:test";
import { join } from "node:path";

import { goModule } from "../../support/go-program.ts";
import { documentedWith, replaceEach } from "../../support/proxies.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

const BUILD_MS = 1_000_000;

const isWanted = process.env["STREAMER_PROXIES"] === "all";
if (!isWanted) reportMissing("the configuration of Envoy: STREAMER_PROXIES=all builds a program in Go that checks it");
const program = isWanted ? await goModule(join(import.meta.dir, "envoy")) : undefined;

async function check(yaml: string): Promise<string> {
  const child = Bun.spawn([program ?? ""], { stdin: Buffer.from(yaml), stdout: "pipe", stderr: "inherit" });
  return (await child.stdout.text()).trim();
}

testWith(program)(
  "Envoy's definitions know every field of its configuration, and allow every value",
  async () => {
    const yaml = documentedWith("yaml", {});
    expect(await check(yaml)).toBe("valid");
    expect(await check(replaceEach(yaml, ["stream_idle_timeout:", "idle_time:"]))).toContain(
      'unknown field "idle_time"',
    );
    const port = replaceEach(yaml, ["port_value: 8000", "port_value: 80000"]);
    expect(await check(port)).toContain("must be less than or equal to 65535");
  },
  BUILD_MS,
);
