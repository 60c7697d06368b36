/** The layout of one sample. All formats are little-endian. */
export interface SampleLayout {
  /** Bytes of one sample of one channel. */
  readonly bytes: number;
  /** `bit_depth`, `is_float` and `encoding` of the protocol's `format` object. No two formats share all three. */
  readonly bit_depth: number;
  readonly is_float: boolean;
  readonly encoding: string;
}

/**
 * Every sample format by name; the protocol, the decoder, the client and the tests derive theirs from this table.
 * The order is that of SA_PCM_* in native/streamer_audio.h: the index of a format is its number in the C library.
 */
export const SAMPLE_FORMATS = {
  u8: { bytes: 1, bit_depth: 8, is_float: false, encoding: "pcm" },
  s16: { bytes: 2, bit_depth: 16, is_float: false, encoding: "pcm" },
  s24: { bytes: 3, bit_depth: 24, is_float: false, encoding: "pcm" },
  s32: { bytes: 4, bit_depth: 32, is_float: false, encoding: "pcm" },
  f32: { bytes: 4, bit_depth: 32, is_float: true, encoding: "pcm" },
  f64: { bytes: 8, bit_depth: 64, is_float: true, encoding: "pcm" },
  mulaw: { bytes: 1, bit_depth: 8, is_float: false, encoding: "mulaw" },
  alaw: { bytes: 1, bit_depth: 8, is_float: false, encoding: "alaw" },
} as const satisfies Record<string, SampleLayout>;

export type SampleFormat = keyof typeof SAMPLE_FORMATS;

/** The names in the order of the table. */
export const SAMPLE_FORMAT_NAMES = Object.keys(SAMPLE_FORMATS) as readonly SampleFormat[];

export function isSampleFormat(name: string): name is SampleFormat {
  return Object.hasOwn(SAMPLE_FORMATS, name);
}

/** Sample rates in Hz, of clients and of models. */
export const MIN_SAMPLE_RATE = 4_000;
export const MAX_SAMPLE_RATE = 384_000;

/** The most channels of one stream; a server may be configured to accept fewer. */
export const MAX_CHANNELS = 256;
