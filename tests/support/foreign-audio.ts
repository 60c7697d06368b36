import { SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";

/** First bytes of a file that a real program wrote. */
interface Sample {
  readonly title: string;
  /** `id` of the kind. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** The bytes that show the kind: one less does not. */
  readonly needed: number;
}

function hex(digits: string): Uint8Array {
  return Uint8Array.fromHex(digits.replaceAll(" ", ""));
}

function text(letters: string): Uint8Array {
  return new Uint8Array(Buffer.from(letters, "latin1"));
}

/** Frames of these lengths, each with this header and zeros behind it. */
export function frames(header: string, lengths: readonly number[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      lengths.map((length) => {
        const frame = Buffer.alloc(length);
        frame.set(hex(header));
        return frame;
      }),
    ),
  );
}

/** Written by ffmpeg 7 and SoX 14.4 from speech; zeros in place of the encoded audio. */
export const FOREIGN_SAMPLES: readonly Sample[] = [
  { title: "WebM", id: "matroska", bytes: hex("1a45dfa3 9f428681 0142f781"), needed: 4 },
  { title: "a WebM cluster", id: "matroska", bytes: hex("1f43b675 01ffffff ffffffff"), needed: 4 },
  { title: "Ogg", id: "ogg", bytes: hex("4f676753 00020000 00000000"), needed: 4 },
  { title: "FLAC", id: "flac", bytes: hex("664c6143 00000022 12001200"), needed: 4 },
  { title: "M4A", id: "mov", bytes: hex("0000001c 66747970 4d344120"), needed: 8 },
  { title: "a piece of fragmented MP4", id: "mov", bytes: hex("000000d8 6d6f6f66 00000010"), needed: 8 },
  { title: "MP3 behind an ID3 tag", id: "mp3", bytes: hex("49443304 00000000 0022"), needed: 4 },
  { title: "MP3 of 48 kHz", id: "mp3", bytes: frames("fffb9444", [384, 384, 384]), needed: 772 },
  { title: "MP3 of 22.05 kHz", id: "mp3", bytes: frames("fff340c4", [104, 104, 104]), needed: 212 },
  { title: "MP3 of 8 kHz", id: "mp3", bytes: frames("ffe318c4", [72, 72, 72]), needed: 148 },
  { title: "MPEG layer 2", id: "mp3", bytes: frames("fffde404", [1152, 1152, 1152]), needed: 2308 },
  { title: "AAC", id: "aac", bytes: frames("fff16c40 167ffc", [179, 179, 179]), needed: 365 },
  { title: "AMR", id: "amr", bytes: text("#!AMR\n<"), needed: 5 },
  { title: "wide-band AMR", id: "amr", bytes: text("#!AMR-WB\n"), needed: 5 },
  { title: "AIFF", id: "aiff", bytes: text("FORM\x00\x34\xbc\x2eAIFFCOMM"), needed: 12 },
  { title: "AIFC", id: "aiff", bytes: text("FORM\x00\x34\xbc\x4eAIFCFVER"), needed: 12 },
  { title: "AU", id: "au", bytes: hex("2e736e64 00000020 0034bc00"), needed: 4 },
  { title: "CAF", id: "caf", bytes: text("caff\x00\x01\x00\x00desc"), needed: 8 },
  { title: "RIFX", id: "rifx", bytes: text("RIFX\x00\x34\xbc\x24WAVEfmt "), needed: 4 },
  { title: "Wave64", id: "w64", bytes: hex("72696666 2e91cf11 a5d628db"), needed: 8 },
  { title: "AVI", id: "avi", bytes: text("RIFF\x0c\xc3\x04\x00AVI LIST"), needed: 12 },
  { title: "WMA", id: "asf", bytes: hex("3026b275 8e66cf11 a6d900aa"), needed: 8 },
  { title: "MPEG-TS", id: "mpegts", bytes: frames("47401110", [188, 188, 188, 188, 188]), needed: 756 },
  { title: "WavPack", id: "wv", bytes: hex("7776706b 2c1d0000 10040000"), needed: 10 },
  { title: "SILK", id: "silk", bytes: text("\x02#!SILK_V3"), needed: 7 },
  { title: "TTA", id: "tta", bytes: text("TTA1\x01\x00"), needed: 4 },
  { title: "VOC", id: "voc", bytes: text("Creative Voice File\x1a"), needed: 19 },
  { title: "8SVX", id: "iff", bytes: hex("464f524d 000232dc 38535658 56484452"), needed: 12 },
  { title: "SoX", id: "sox", bytes: hex("2e536f58 1c000000 00b80b00"), needed: 4 },
  { title: "FLV", id: "flv", bytes: hex("464c5601 04000000 09000000"), needed: 4 },
  { title: "RealMedia", id: "rm", bytes: hex("2e524d46 00000012 00000000"), needed: 7 },
  { title: "MMF", id: "mmf", bytes: hex("4d4d4d44 00008054 434e5449 00000005"), needed: 12 },
  { title: "NIST SPHERE", id: "nistsphere", bytes: text("NIST_1A\n   1024\n"), needed: 7 },
];

/** Samples of a format with the bytes of each in reverse order: big-endian. */
export function reversed(format: SampleFormat, bytes: Uint8Array): Uint8Array {
  const { bytes: width } = SAMPLE_FORMATS[format];
  return bytes.map((_, i) => bytes[i - (i % width) + width - 1 - (i % width)] ?? 0);
}
