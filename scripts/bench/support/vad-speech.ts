import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Hz, of all audio in this benchmark. */
export const RATE = 16000;
/** dBFS, the level of every utterance while it is active. */
export const SPEECH_DB = -26;

const RECORDED = "/usr/share/pocketsphinx/test/data";
const WINDOW = RATE / 100;
/** Windows within this range of the loud windows of a clip are speech. */
const ACTIVE_RANGE_DB = 32;
/** A clip is cut at pauses of this many windows, so that no utterance contains an end of speech. */
const PAUSE_WINDOWS = 30;
/** Shorter pieces, such as a breath or a click, are not utterances. */
const SHORTEST_WINDOWS = 25;
const MARGIN_WINDOWS = 3;

const SENTENCES: readonly (readonly [voice: string, text: string])[] = [
  ["slt", "The quick brown fox jumps over the lazy dog."],
  ["slt", "Please call me back before noon."],
  ["slt", "No, thank you."],
  ["awb", "Every buffer has a limit, and says what happens past it."],
  ["awb", "The weather will be fine tomorrow."],
  ["awb", "Four, seven, nine."],
  ["rms", "Turn the lights off in the kitchen."],
  ["rms", "What time does the last train leave?"],
  ["rms", "Yes, go on."],
];

/** Utterances of one speaker each at SPEECH_DB, from recordings and synthetic speech. */
export function utterances(): Float32Array[] {
  if (!existsSync(RECORDED))
    throw new Error(`no recorded speech in ${RECORDED}: apt-get install pocketsphinx-testdata`);
  if (Bun.which("flite") === null) throw new Error("no synthetic speech: apt-get install flite");
  const files = ["librivox", "cards"].flatMap((folder) =>
    readdirSync(join(RECORDED, folder))
      .filter((name) => name.endsWith(".wav"))
      .sort()
      .map((name) => join(RECORDED, folder, name)),
  );
  const clips = [
    ...files.map((file) => wavSamples(readFileSync(file))),
    ...["goforward", "numbers", "something"].map((name) => samplesOf(readFileSync(join(RECORDED, `${name}.raw`)))),
    ...synthesised(),
  ];
  return clips.flatMap(pieces);
}

function synthesised(): Float32Array[] {
  const folder = mkdtempSync(join(tmpdir(), "vad-speech-"));
  try {
    return SENTENCES.map(([voice, text]) => {
      const file = join(folder, "speech.wav");
      const { exitCode } = Bun.spawnSync(["flite", "-voice", voice, "-t", text, "-o", file]);
      if (exitCode !== 0) throw new Error(`flite -voice ${voice} ended with ${exitCode}`);
      return wavSamples(readFileSync(file));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The samples of a 16 kHz mono s16 WAV file. */
export function wavSamples(file: Buffer): Float32Array {
  const rate = file.readUInt32LE(24);
  if (rate !== RATE) throw new Error(`a clip has ${rate} Hz, not ${RATE}`);
  const data = file.indexOf("data", 12, "latin1");
  return samplesOf(file.subarray(data + 8, data + 8 + file.readUInt32LE(data + 4)));
}

export function samplesOf(bytes: Buffer): Float32Array {
  const samples = new Float32Array(bytes.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes.readInt16LE(2 * i) / 32768;
  return samples;
}

/** Cuts a clean clip at its pauses and scales the pieces to SPEECH_DB. */
function pieces(clip: Float32Array): Float32Array[] {
  const powers = windowPowers(clip);
  const loud = powers.toSorted()[Math.floor(powers.length * 0.95)] ?? 0;
  const least = loud * 10 ** (-ACTIVE_RANGE_DB / 10);
  const found: Float32Array[] = [];
  let first = -1;
  let last = -1;
  const close = (): void => {
    if (first >= 0 && last + 1 - first >= SHORTEST_WINDOWS) {
      const start = Math.max(0, first - MARGIN_WINDOWS) * WINDOW;
      found.push(levelled(clip.slice(start, (last + 1 + MARGIN_WINDOWS) * WINDOW), least));
    }
    first = -1;
  };
  powers.forEach((power, window) => {
    if (power >= least) {
      if (first < 0) first = window;
      last = window;
    } else if (first >= 0 && window - last >= PAUSE_WINDOWS) close();
  });
  close();
  return found;
}

function windowPowers(samples: Float32Array): Float64Array {
  const powers = new Float64Array(Math.floor(samples.length / WINDOW));
  for (let w = 0; w < powers.length; w++) {
    let sum = 0;
    let before = samples[Math.max(0, w * WINDOW - 1)] ?? 0;
    let slow = 0;
    // A first-order high-pass at about 80 Hz, so that rumble in a recording does not count as speech.
    for (let i = w * WINDOW; i < (w + 1) * WINDOW; i++) {
      const now = samples[i] ?? 0;
      slow = 0.97 * (slow + now - before);
      before = now;
      sum += slow * slow;
    }
    powers[w] = sum / WINDOW;
  }
  return powers;
}

/** Scales so that the windows above `least` have the mean power of SPEECH_DB, and fades 5 ms at either end. */
function levelled(samples: Float32Array, least: number): Float32Array {
  const active = windowPowers(samples).filter((power) => power >= least);
  const mean = active.reduce((sum, power) => sum + power, 0) / active.length;
  const gain = Math.sqrt(10 ** (SPEECH_DB / 10) / mean);
  const fade = RATE / 200;
  return samples.map((sample, i) => sample * gain * Math.min(1, i / fade, (samples.length - 1 - i) / fade));
}
