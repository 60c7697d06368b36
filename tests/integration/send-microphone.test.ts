import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { encode, speech } from "../support/audio.ts";
import { parseEvents, sharedExecutable } from "../support/executable.ts";
import { FakePrograms } from "../support/fake-programs.ts";
import { SendProcess } from "../support/send-process.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const server = await executable.serve({ "model.delay": 0, "model.workers": 1 });
const addr = ["--addr", `127.0.0.1:${server.port}`];

/** A second of speech, half a second without, and again: 16-bit integers at 16 kHz. */
const recording = encode("s16", speech([1, -0.8, 0.7, -0.2], { rate: 16_000 }));
await Bun.write(join(executable.folder, "speech.raw"), recording);
/** Records that, and then waits for a signal, as a recorder does whose speaker is silent. */
const recorder = await FakePrograms.create({ arecord: `cat ${executable.folder}/speech.raw; exec sleep 600` });
afterAll(() => recorder[Symbol.asyncDispose]());

test("a microphone is sent until Ctrl-C, and the results of what was sent follow", async () => {
  const args = ["--microphone", ...addr, "--format", "json"];
  await using sending = new SendProcess(executable, args, "ignore", recorder.env);
  await waitUntil("a result", () => sending.out.includes('"type":"segment"'));
  await sending.signal("SIGINT");
  const { code, out, err } = await sending.result();
  expect(code).toBe(130);
  expect(err).toContain("sent in real time");
  const events = parseEvents(out);
  expect(events.at(-1)?.type).toBe("stopped");
  expect(events.filter(({ type }) => type === "segment")).toHaveLength(2);
  expect(events.at(-1)).toMatchObject({ channels: [{ received: recording.length / 2 }] });
  expect(await recorder.isRunning("arecord")).toBeFalse();
});

test("a recorder that dies is a problem, with its message and the results of what it gave", async () => {
  const commands = `cat ${executable.folder}/speech.raw; echo "arecord: pcm_read:2221: read error: No such device" >&2; exit 1`;
  await using dying = await FakePrograms.create({ arecord: commands });
  const { code, out, err } = await executable.run(["send", "--microphone", ...addr], { env: dying.env });
  expect(code).toBe(1);
  expect(out).toContain("microphone (arecord, ALSA): length unknown, 16000 Hz, 1 channel, 16 bit");
  expect(out).toContain("2 final results");
  expect(err).toContain("arecord has ended (exit code 1): read error: No such device");
});

test("without a microphone, nothing is sent, and the message is that of the recorder", async () => {
  await using broken = await FakePrograms.create({
    arecord: "echo 'arecord: main:831: audio open error: no' >&2; exit 1",
  });
  const refused = await executable.run(["send", "--microphone=hw:9", "--addr", "127.0.0.1:1"], { env: broken.env });
  expect(refused).toEqual({
    code: 2,
    out: "",
    err: 'streamer: --microphone "hw:9": arecord has ended (exit code 1): audio open error: no; send --microphone=list lists the devices\n',
  });
  const none = await executable.run(["send", "--microphone"], { env: { PATH: "/nonexistent" } });
  expect([none.code, none.err]).toEqual([2, expect.stringContaining("install alsa-utils")]);
  const list = await executable.run(["send", "--microphone", "list"], { env: { PATH: "/nonexistent" } });
  expect([list.code, list.err]).toEqual([1, expect.stringContaining("no program that lists devices")]);
});
