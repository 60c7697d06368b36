import { expect, test } from "bun:test";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";

const root = join(import.meta.dir, "..", "..");

test("the demo prints speech, interims, finals and correct ledgers, stops its server, and exits with 0", async () => {
  await buildExecutable();
  const child = Bun.spawn([process.execPath, join("scripts", "demo.ts")], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const channel of [0, 1]) {
    expect(out).toMatch(new RegExp(`^\\[${channel}\\] .*speech begins$`, "m"));
    expect(out).toMatch(new RegExp(`^\\[${channel}\\] .*interim count=[\\d,]+$`, "m"));
    expect(out).toMatch(new RegExp(`^\\[${channel}\\] .*final  count=[\\d,]+ .*after end of speech$`, "m"));
    expect(out).toMatch(new RegExp(`^ledger \\[${channel}\\] .* \\+ 0 failed; .* 0 errors$`, "m"));
  }
  expect(out).toMatch(/^result .*7 final results, 0 errors; the ledger adds up/m);
  const port = /--addr ws:\/\/127\.0\.0\.1:(\d+)\//.exec(out)?.[1];
  expect(port).toBeDefined();
  await expect(fetch(`http://127.0.0.1:${port}/api/v1/health`)).rejects.toThrow();
}, 300_000);
