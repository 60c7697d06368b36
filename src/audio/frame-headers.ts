/** The header of one frame of encoded audio. */
export interface FrameHeader {
  /** Bytes from this header to the next one. */
  readonly frameBytes: number;
  /** The bits that do not change from frame to frame. */
  readonly constant: number;
}

/** How frames of one encoding follow each other without a container. */
export interface FrameSyntax {
  readonly headerBytes: number;
  /** Consistent headers in a row that are no coincidence. */
  readonly headers: number;
  /**
   * Returns true if `bytes[at]` and the bytes behind it, as far as they are there, can begin a header. False excludes
   * most audio at its first or second byte.
   */
  readonly begins: (bytes: Uint8Array, at: number) => boolean;
  /** Reads the header at `at`, all of whose bytes are there; undefined: it is none. */
  readonly read: (bytes: Uint8Array, at: number) => FrameHeader | undefined;
}

/** Headers inside of frames that are a coincidence. Periodic or very quiet audio has many more. */
const MAX_STRAY_HEADERS = 2;

/** Whether bytes begin with frames: "more" when further bytes may show it. */
export function findFrames(syntax: FrameSyntax, bytes: Uint8Array): "found" | "more" | "none" {
  let constant = -1;
  for (let at = 0, count = 0; ; count++) {
    if (at >= bytes.length) return "more";
    if (!syntax.begins(bytes, at)) return "none";
    if (at + syntax.headerBytes > bytes.length) return "more";
    const header = syntax.read(bytes, at);
    if (header === undefined || (count > 0 && constant !== header.constant)) return "none";
    ({ constant } = header);
    if (count + 1 === syntax.headers) {
      return countHeaders(syntax, bytes, at, constant) <= count + MAX_STRAY_HEADERS ? "found" : "none";
    }
    at += header.frameBytes;
  }
}

/** Counts the headers of one kind that begin before `end`, at any byte. */
function countHeaders(syntax: FrameSyntax, bytes: Uint8Array, end: number, constant: number): number {
  let count = 0;
  for (let at = 0; at < end; at++) {
    if (syntax.begins(bytes, at) && syntax.read(bytes, at)?.constant === constant) count += 1;
  }
  return count;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** kbit/s by version (MPEG 1; MPEG 2 and 2.5), layer (2, 3) and index 1 to 14 (ISO 11172-3, ISO 13818-3). */
const BITRATES: readonly (readonly (readonly number[])[])[] = [
  [
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  [
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
];
/** Hz of MPEG 1 by index; MPEG 2 has half of it, MPEG 2.5 a quarter. */
const RATES = [44_100, 48_000, 32_000];

/** MPEG audio, layers 2 and 3, with a header of 4 bytes. Nobody uses layer 1, and PCM at full scale resembles it. */
export const MPEG_FRAMES: FrameSyntax = {
  headerBytes: 4,
  headers: 3,
  begins: (bytes, at) => bytes[at] === 0xff && (at + 1 >= bytes.length || isMpegVersion(byte(bytes, at + 1))),
  read(bytes, at) {
    const [second, third, fourth] = [byte(bytes, at + 1), byte(bytes, at + 2), byte(bytes, at + 3)];
    const version = (second >> 3) & 3;
    const layer = 4 - ((second >> 1) & 3);
    const kbits = BITRATES[version === 3 ? 0 : 1]?.[layer - 2]?.[(third >> 4) - 1];
    const rate = RATES[(third >> 2) & 3];
    // Emphasis 2 is reserved.
    if (kbits === undefined || rate === undefined || (fourth & 3) === 2) return undefined;
    const sampleRate = rate / (version === 3 ? 1 : version === 2 ? 2 : 4);
    const samples = layer === 3 && version !== 3 ? 576 : 1152;
    const padding = (third >> 1) & 1;
    const isMono = fourth >> 6 === 3 ? 1 : 0;
    return {
      frameBytes: Math.floor((samples * 125 * kbits) / sampleRate) + padding,
      constant: ((second & 0xfe) << 8) | (third & 0x0c) | isMono,
    };
  },
};

/** 11 bits of ones, a version that exists, and layer 2 or 3. */
function isMpegVersion(second: number): boolean {
  const layer = (second >> 1) & 3;
  return (second & 0xe0) === 0xe0 && (second & 0x18) !== 0x08 && (layer === 1 || layer === 2);
}

const ADTS_HEADER_BYTES = 7;

/** AAC in ADTS frames (ISO 13818-7), with a header of 7 bytes. */
export const ADTS_FRAMES: FrameSyntax = {
  headerBytes: ADTS_HEADER_BYTES,
  headers: 3,
  begins: (bytes, at) => bytes[at] === 0xff && (at + 1 >= bytes.length || (byte(bytes, at + 1) & 0xf6) === 0xf0),
  read(bytes, at) {
    const [second, third, fourth] = [byte(bytes, at + 1), byte(bytes, at + 2), byte(bytes, at + 3)];
    const frameBytes = ((fourth & 3) << 11) | (byte(bytes, at + 4) << 3) | (byte(bytes, at + 5) >> 5);
    // Sampling frequency indices 13 to 15 are reserved.
    if (((third >> 2) & 15) > 12 || frameBytes <= ADTS_HEADER_BYTES) return undefined;
    // All but the private bit: profile, frequency, channels.
    return { frameBytes, constant: (second << 16) | ((third & 0xfd) << 8) | (fourth & 0xc0) };
  },
};

const TRANSPORT_PACKET_BYTES = 188;

/** MPEG transport stream (ISO 13818-1): packets of one size. */
export const TRANSPORT_PACKETS: FrameSyntax = {
  headerBytes: 4,
  headers: 5,
  begins: (bytes, at) => bytes[at] === 0x47,
  read(bytes, at) {
    // No transmission error, no scrambling, and a payload or an adaptation field.
    const isSound = (byte(bytes, at + 1) & 0x80) === 0 && (byte(bytes, at + 3) & 0xc0) === 0;
    const hasContent = (byte(bytes, at + 3) & 0x30) !== 0;
    return isSound && hasContent ? { frameBytes: TRANSPORT_PACKET_BYTES, constant: 0 } : undefined;
  },
};
