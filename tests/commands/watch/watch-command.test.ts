import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { encode, speech } from "../../support/audio.ts";
import { TwilioClient } from "../../support/call-clients.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Starts the command. */
function watch(...args: string[]) {
  const child = Bun.spawn([process.execPath, "src/main.ts", "watch", ...args], {
    cwd: join(import.meta.dir, "..", "..", ".."),
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = async () => [await child.exited, await child.stdout.text(), await child.stderr.text()];
  return { child, output };
}

test("prints the calls up to the end of the server, as text or as they come", async () => {
  await using server = await InProcessServer.start({
    "model.name": join(import.meta.dir, "../../support/models/words.ts"),
  });
  const text = watch("--addr", server.url);
  const json = watch("--addr", server.url, "--call", "CA1", "--format", "json");
  await waitUntil("both to watch", () => server.sessions === 2);
  using phone = await TwilioClient.connect(server.url, "/twilio", "CA1");
  phone.start();
  phone.media(encode("mulaw", speech([0.6], { rate: 8_000 })));
  phone.stop();
  await phone.end();
  await server.drain();
  const [code, lines, problem] = await text.output();
  expect([code, String(lines).split("\n").length]).toEqual([1, 5]);
  expect(String(lines)).toMatch(
    /^CA1 {2}begins: twilio\nCA1 {2}[\d.]+ s - [\d.]+ s {2}"turn left here" \(en\).*\nCA1 {2}ends: stop\nwarning draining: .*\n$/,
  );
  expect(String(problem)).toContain("/api/v1/calls: closed with 1001 draining");
  const [, messages] = await json.output();
  const types = String(messages)
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { type: string }).type);
  expect([types[0], types[1], types.includes("call_event"), types.at(-1)]).toEqual([
    "watching",
    "call",
    true,
    "warning",
  ]);
});

test("reports why it cannot connect, and what is wrong with its flags", async () => {
  await using server = await InProcessServer.start({ "dialects.enabled": "streamer" });
  const [code, , problem] = await watch("--addr", server.url).output();
  expect([code, String(problem)]).toEqual([
    3,
    expect.stringContaining("/api/v1/calls: cannot connect: refused with HTTP 404: no such route"),
  ]);
  const [usage, , wrong] = await watch("--format", "xml").output();
  expect([usage, String(wrong)]).toEqual([2, expect.stringContaining('--format: found "xml"; allowed: text, json')]);
});
