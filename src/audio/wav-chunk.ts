/** The first four bytes of a WAV file: RIFF, and its two forms for more than 4 GiB. */
export const MAGICS: readonly string[] = ["RIFF", "RF64", "BW64"];

/** Bytes of the name and the size in front of a chunk. */
export const CHUNK_HEAD_BYTES = 8;
const NAME_BYTES = 4;

/** Names of chunks that WAV files have beside the audio, in the spelling of the programs that write them. */
const KNOWN = new Set(
  "fmt |data|fact|LIST|JUNK|junk|PAD |pad |FLLR|ds64|bext|cart|iXML|axml|chna|ubxt|cue |plst|smpl|inst|acid|strc".split(
    "|",
  ),
);
for (const name of "id3 |ID3 |DISP|PEAK|_PMX|aXML|AFAn|afsp|levl|umid|link|elm1|minf|regn|slnt|wavl|LGWV|SAUR".split(
  "|",
)) {
  KNOWN.add(name);
}

/** Where the name of the next chunk may begin, against the rule that chunks are padded to an even length. */
export type Shift = -1 | 0 | 1;
const SHIFTS: readonly Shift[] = [0, -1, 1];

/** Bytes that `findName` looks at. */
export const NAME_WINDOW_BYTES = NAME_BYTES + 2;

/**
 * Finds the name of a chunk near its place, since some programs leave the padding of odd chunks out, or add some to
 * even ones. A known name goes before an unknown one, and the right place before its neighbours.
 * @param window NAME_WINDOW_BYTES bytes; the name belongs at index 1
 */
export function findName(window: Uint8Array): Shift {
  const names = SHIFTS.map((shift) => ({ shift, name: chunkName(window, 1 + shift) }));
  const found = names.find(({ name }) => KNOWN.has(name)) ?? names.find(({ name }) => isName(name));
  return found?.shift ?? 0;
}

/**
 * Finds a whole chunk behind the audio.
 * @param bytes what follows the audio; a chunk may begin with the first or the second byte, behind padding
 * @param room bytes of the file from the start of `bytes`, as far as they can be chunks
 */
export function isTrailingChunk(bytes: Uint8Array, room: number): boolean {
  return [0, 1].some((at) => {
    if (at + CHUNK_HEAD_BYTES > bytes.length) return false;
    const name = chunkName(bytes, at);
    // The padding of the chunk may be missing.
    return (KNOWN.has(name) || isName(name)) && at + CHUNK_HEAD_BYTES + chunkSize(bytes, at) <= room;
  });
}

/** Returns true if a `data` chunk begins with the first or the second of these bytes. */
export function isDataChunk(bytes: Uint8Array): boolean {
  return [0, 1].some((at) => at + CHUNK_HEAD_BYTES <= bytes.length && chunkName(bytes, at) === "data");
}

/** The four characters at `at`. */
export function chunkName(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + NAME_BYTES));
}

/** The size that the chunk at `at` declares. */
export function chunkSize(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at + NAME_BYTES, 4).getUint32(0, true);
}

function isName(name: string): boolean {
  // A second file is no chunk of the first.
  return /^[A-Za-z0-9_][A-Za-z0-9_ ]{3}$/.test(name) && !MAGICS.includes(name);
}
