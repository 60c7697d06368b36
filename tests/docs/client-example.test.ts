import { expect, test } from "bun:test";
import { join } from "node:path";

import { encode, speech } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";

test("the client in JavaScript on the page of the protocol prints the results and the ledger", async () => {
  const page = await Bun.file(join(import.meta.dir, "..", "..", "docs", "protocol.md")).text();
  const [, code = ""] = /```js\n(.*?)```/s.exec(page) ?? [];
  await using server = await InProcessServer.start();
  const audio = encode("s16", speech([1.4, 0.8])).toString("base64");
  const pieces = `const pieces = [new Int16Array(Uint8Array.fromBase64("${audio}").buffer)];\n`;
  const here = code.replace("localhost:8080", `localhost:${server.port}`);
  const client = Bun.spawn([process.execPath, "-"], {
    stdin: new Blob([pieces + here]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [exit, out, err] = await Promise.all([client.exited, client.stdout.text(), client.stderr.text()]);
  expect({ exit, err }).toEqual({ exit: 0, err: "" });
  // The simulated model returns no text. Audio that is not sent in real time need not have interims.
  expect(out.match(/^[\d.]+ final undefined$/gm)).toHaveLength(2);
  expect(out).toContain("received: 73600,");
  expect(out).toMatch(/^closed 1000/m);
}, 60_000);
