// Accuracy of voice activity detection. The built-in detectors, WebRTC's VAD and Silero are each followed by the
// endpointer with default settings; recall, precision and false speech are printed, and the speed of the energy
// detector.
//
//   bun run bench vad [--seed 1] [--only energy]
//
// Needs the Debian packages pocketsphinx-testdata and flite. Downloads the other detectors to a temporary folder.

import { parseArgs } from "node:util";

import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import { EnergyDetector } from "../../src/vad/energy.ts";
import { printMachine } from "./support/machine.ts";
import { median } from "./support/statistics.ts";
import { type Detector, detectors } from "./support/vad-detectors.ts";
import { generator, type Scene, spoken, unspoken } from "./support/vad-scenes.ts";
import { score, segments } from "./support/vad-score.ts";
import { RATE, utterances } from "./support/vad-speech.ts";

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" }, only: { type: "string" } } });
const seed = Number(values.seed);
const speech = utterances();
const { present, absent } = await detectors();
const compared = present.filter(({ name }) => values.only === undefined || name === values.only);

const hearing = await table(
  spoken(speech, seed),
  compared,
  (result) => `${share(result.found, result.utterances)} / ${share(result.right, result.segments)}`,
);
const falseSpeech = await table(
  unspoken(speech, seed + 100),
  compared,
  (result) => `${result.falseSeconds.toFixed(2)} s`,
);

printMachine();
console.log(`seed ${seed}; ${speech.length} utterances, each used twice; collars of 200 ms\n`);
console.log("Segment recall / precision\n");
console.log(hearing);
console.log("\nSpeech reported in 60 s without any\n");
console.log(falseSpeech);
console.log(`\nSpeed of the energy VAD at ${RATE} Hz, in pieces of 100 ms: ${Math.round(speed())} times real time`);
for (const sentence of absent) console.log(`\n!!! ${sentence}`);

async function table(
  scenes: readonly Scene[],
  columns: readonly Detector[],
  cell: (result: ReturnType<typeof score>) => string,
): Promise<string> {
  const rows = [
    ["", ...columns.map(({ name }) => name)],
    ["---", ...columns.map(() => "---")],
  ];
  for (const scene of scenes) {
    const row = [scene.name];
    for (const { detect } of columns) {
      row.push(cell(score(scene, segments(await detect(scene.samples), scene.samples.length))));
    }
    rows.push(row);
  }
  return rows.map((row) => `| ${row.map((text) => text.padEnd(20)).join(" | ")} |`).join("\n");
}

function share(part: number, whole: number): string {
  return whole === 0 ? "-" : (part / whole).toFixed(3);
}

/** Times real time over 60 s of noise: the median of 9 runs through the detector that the server uses. */
function speed(): number {
  const random = generator(seed);
  const samples = Float32Array.from({ length: 60 * RATE }, () => 0.1 * (random() - 0.5));
  using vad = new EnergyDetector(RATE, VAD_DEFAULTS);
  let heard = 0;
  const runs = Array.from({ length: 9 }, () => {
    const begin = Bun.nanoseconds();
    for (let at = 0; at < samples.length; at += RATE / 10)
      vad.push(samples, at, RATE / 10, (is) => (heard += Number(is)));
    return (60 * 1e9) / (Bun.nanoseconds() - begin);
  });
  return median(runs);
}
