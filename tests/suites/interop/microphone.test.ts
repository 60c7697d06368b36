import { expect, setDefaultTimeout } from "bun:test";
import { mkdir, symlink } from "node:fs/promises";
import { basename, join } from "node:path";

import { encode, speech, wav } from "../../support/audio.ts";
import { parseEvents, sharedExecutable } from "../../support/executable.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { SendProcess } from "../../support/send-process.ts";
import { waitUntil } from "../../support/wait.ts";

/** Real programs that record, from a device of ALSA that has a file in the place of a microphone. */

setDefaultTimeout(600_000);

const arecord = tool("arecord", "alsa-utils");
const ffmpeg = tool("ffmpeg", "ffmpeg");

const executable = await sharedExecutable();
const server = await executable.serve({ "model.delay": 0, "model.workers": 1 });
const addr = ["--addr", `127.0.0.1:${server.port}`, "--format", "json"];

const samples = encode("s16", speech([1, -0.8, 0.7, -0.8, 0.6, -0.8], { rate: 16_000 }));
const [RAW, WAV] = [join(executable.folder, "speech.raw"), join(executable.folder, "speech.wav")];
await Bun.write(RAW, samples);
await Bun.write(WAV, wav({ channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false }, samples));
const CONFIG = join(executable.folder, "asound.conf");
// The null device gives silence, as fast as it is read; what the file has comes first.
await Bun.write(
  CONFIG,
  `pcm.speech { type file slave.pcm { type null } file "/dev/null" infile "${RAW}" format "raw" }\n` +
    `pcm.!default { type plug slave { pcm "speech" format S16_LE channels 1 rate 16000 } }\n`,
);

/** Sends a microphone with one program, alone on the PATH, until as many finals have come. Returns them. */
async function finalsWith(program: string, count: number): Promise<unknown[]> {
  const folder = join(executable.folder, `only-${basename(program)}`);
  await mkdir(folder);
  await symlink(program, join(folder, basename(program)));
  const env = { PATH: folder, ALSA_CONFIG_PATH: CONFIG };
  await using sending = new SendProcess(executable, ["--microphone", ...addr], "ignore", env);
  await waitUntil("the results", () => sending.out.split('"is_final":true').length > count);
  await sending.signal("SIGINT");
  const { code, out } = await sending.result();
  expect(code).toBe(130);
  return finalsOf(out);
}

function finalsOf(text: string): unknown[] {
  return parseEvents(text).filter((event) => event.type === "segment");
}

testWith(arecord)("arecord gives the results of the same sound in a file", async () => {
  const file = await executable.run(["send", "-i", WAV, ...addr]);
  const expected = finalsOf(file.out);
  expect(expected).toHaveLength(3);
  expect(await finalsWith(arecord ?? "", expected.length)).toEqual(expected);
});

testWith(ffmpeg)("ffmpeg records from ALSA, too", async () => {
  // It takes the clock of this device, which has none, for that of a real one, and leaves some of the sound out.
  expect((await finalsWith(ffmpeg ?? "", 1)).length).toBeGreaterThan(0);
});
