import { readFileSync } from "node:fs";
import { join } from "node:path";

import { samplesOf, wavSamples } from "./vad-speech.ts";

const FOLDER = "/usr/share/pocketsphinx/test/data";
const RECORDING = join(import.meta.dir, "../../../tests/data/two-speakers-48k");
const HEADER_BYTES = 44;

/** Recorded speech at 16 kHz, and what is said. */
export interface Clip {
  readonly text: string;
  readonly samples: Float32Array;
}

/** Real speech of the Debian package pocketsphinx-testdata: a reader, and short commands. */
export function transcribedSpeech(): Readonly<Record<string, readonly Clip[]>> {
  const clip = (folder: string) => (line: readonly [name: string, text: string]) => ({
    text: line[1],
    samples: wavSamples(readFileSync(join(FOLDER, folder, `${line[0]}.wav`))),
  });
  const goForward = samplesOf(readFileSync(join(FOLDER, "goforward.raw")));
  return {
    reader: transcription("librivox/transcription").map(clip("librivox")),
    commands: [
      { text: "go forward ten meters", samples: goForward },
      ...transcription("cards/cards.transcription").map(clip("cards")),
    ],
  };
}

/** Lines of the form `<s> text </s> (name)`. */
function transcription(file: string): (readonly [name: string, text: string])[] {
  const lines = readFileSync(join(FOLDER, file), "utf8").matchAll(/^<s> (.*?) <\/s> \((.*)\)$/gm);
  // A slip of the pen: the reader says "a more amiable woman".
  return [...lines].map(([, text = "", name = ""]) => [name, text.replace("a more a amiable", "a more amiable")]);
}

/** The recording of the demo: 48 kHz, s16, stereo, and what is said on each side. */
export function demoRecording(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly texts: readonly string[] } {
  const [, ...sides] = readFileSync(`${RECORDING}.txt`, "utf8").split(/^(?:Left|Right): /m);
  const texts = sides.map((side) => [...side.matchAll(/^ +[\d.]+ s +(.*)$/gm)].map(([, text]) => text).join(" "));
  return { bytes: new Uint8Array(readFileSync(`${RECORDING}.wav`)).slice(HEADER_BYTES), texts };
}
