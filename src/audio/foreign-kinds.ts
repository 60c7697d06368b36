import { ADTS_FRAMES, findFrames, type FrameSyntax, MPEG_FRAMES, TRANSPORT_PACKETS } from "./frame-headers.ts";

/** Audio that is not PCM: a kind of file or an encoding, which its first bytes show. */
export interface ForeignKind {
  /** Name for programs; that of ffmpeg's demuxer (`ffmpeg -f ID`), where it has one. */
  readonly id: string;
  /** Name for messages, with its article. */
  readonly name: string;
  /** The first bytes, in hexadecimal; `..` is any byte. Any of them is enough. */
  readonly marks?: readonly string[];
  /** Frames that follow each other without a container. */
  readonly frames?: FrameSyntax;
  /** Browsers record it; there, samples come from elsewhere. */
  readonly isRecordedByBrowsers?: true;
}

/**
 * Every kind that is recognised, with marks that PCM does not have by chance: 4 bytes or more, or headers in a row. The
 * four letters of CAF and WavPack are smooth enough to be speech in 8 bits, so more bytes belong to their marks. WAV
 * files are not among the kinds; `wav-header.ts` reads those.
 */
export const FOREIGN_KINDS: readonly ForeignKind[] = [
  {
    id: "matroska",
    name: "a WebM or Matroska file",
    // EBML, and a cluster: a piece of a recording whose beginning was lost.
    marks: ["1a45dfa3", "1f43b675"],
    isRecordedByBrowsers: true,
  },
  { id: "ogg", name: "an Ogg file (Opus, Vorbis, Speex or FLAC)", marks: [hex("OggS")], isRecordedByBrowsers: true },
  {
    id: "mov",
    name: "an MP4, M4A or QuickTime file",
    // Boxes by their names, behind a size of less than 64 KiB.
    marks: ["ftyp", "styp", "moov", "moof", "sidx", "wide"].map((box) => `0000....${hex(box)}`),
    isRecordedByBrowsers: true,
  },
  { id: "flac", name: "a FLAC file", marks: [hex("fLaC")] },
  {
    id: "mp3",
    name: "MP3 (MPEG audio)",
    marks: [2, 3, 4].map((version) => `${hex("ID3")}0${version}`),
    frames: MPEG_FRAMES,
  },
  { id: "aac", name: "AAC (ADTS)", frames: ADTS_FRAMES },
  { id: "amr", name: "an AMR file", marks: [hex("#!AMR")] },
  { id: "aiff", name: "an AIFF file", marks: ["AIFF", "AIFC"].map((form) => `${hex("FORM")}........${hex(form)}`) },
  { id: "au", name: "an AU file (Sun audio)", marks: [hex(".snd")] },
  { id: "caf", name: "a CAF file (Core Audio)", marks: [`${hex("caff")}00010000`] },
  { id: "rifx", name: "a big-endian WAV file (RIFX)", marks: [hex("RIFX")] },
  { id: "w64", name: "a Wave64 file", marks: [`${hex("riff")}2e91cf11`] },
  { id: "avi", name: "an AVI file", marks: [`${hex("RIFF")}........${hex("AVI ")}`] },
  { id: "asf", name: "a Windows Media file (WMA)", marks: ["3026b2758e66cf11"] },
  { id: "mpegts", name: "an MPEG transport stream", frames: TRANSPORT_PACKETS },
  { id: "wv", name: "a WavPack file", marks: [`${hex("wvpk")}..........04`] },
  { id: "silk", name: "a SILK file", marks: [hex("#!SILK"), `02${hex("#!SILK")}`] },
  { id: "tta", name: "a TTA file (True Audio)", marks: [hex("TTA1")] },
  { id: "voc", name: "a VOC file (Creative Voice)", marks: [hex("Creative Voice File")] },
  { id: "iff", name: "an 8SVX file (Amiga IFF)", marks: [`${hex("FORM")}........${hex("8SVX")}`] },
  { id: "sox", name: "a SoX file", marks: [hex(".SoX")] },
  { id: "flv", name: "a Flash video file (FLV)", marks: [`${hex("FLV")}01`] },
  { id: "rm", name: "a RealMedia file", marks: [`${hex(".RMF")}000000`] },
  { id: "mmf", name: "an MMF file (Yamaha SMAF)", marks: [`${hex("MMMD")}........${hex("CNTI")}`] },
  { id: "nistsphere", name: "a NIST SPHERE file", marks: [hex("NIST_1A")] },
];

/** Most bytes that the recognition looks at. Three frames of MP3 fit at any bit rate. */
export const FOREIGN_WINDOW_BYTES = 4_096;

/** A mark as numbers; -1 is any byte. */
const MARKS = FOREIGN_KINDS.flatMap((kind) => (kind.marks ?? []).map((mark) => ({ kind, mark: parseMark(mark) })));

/**
 * Recognises audio that is not PCM by its first bytes. Most audio is excluded by its first bytes.
 * @param bytes from the start of the stream or file
 * @returns the kind; undefined: none; "more": further bytes may show one
 */
export function recogniseForeign(bytes: Uint8Array): ForeignKind | "more" | undefined {
  let isOpen = false;
  for (const { kind, mark } of MARKS) {
    if (!mark.every((expected, i) => expected < 0 || i >= bytes.length || bytes[i] === expected)) continue;
    if (bytes.length >= mark.length) return kind;
    isOpen = true;
  }
  for (const kind of FOREIGN_KINDS) {
    const frames = kind.frames === undefined ? "none" : findFrames(kind.frames, bytes);
    if (frames === "found") return kind;
    if (frames === "more") isOpen = true;
  }
  return isOpen && bytes.length < FOREIGN_WINDOW_BYTES ? "more" : undefined;
}

function hex(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

function parseMark(mark: string): readonly number[] {
  return Array.from({ length: mark.length / 2 }, (_, i) => {
    const digits = mark.slice(2 * i, 2 * i + 2);
    return digits === ".." ? -1 : Number.parseInt(digits, 16);
  });
}
