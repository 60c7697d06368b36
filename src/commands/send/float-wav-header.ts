const FORMAT_FLOAT = 3;
const SAMPLE_BYTES = Float32Array.BYTES_PER_ELEMENT;
/**
 * A size that is not known yet, or that does not fit into 32 bits. Readers then take the audio to extend to the end
 * of the file.
 */
const UNKNOWN_SIZE = 0xffffffff;

/**
 * Length of the header: RIFF and WAVE, a `fmt ` chunk of 18 bytes, a `fact` chunk, and the start of the `data` chunk.
 */
export const WAV_HEADER_BYTES = 12 + (8 + 18) + (8 + 4) + 8;

/**
 * Returns the header of a WAV file of 32-bit floats. `frames` is undefined while the length is not known. The format
 * is in "Multimedia Programming Interface and Data Specifications 1.0" with its "New Multimedia Data Types" update:
 * all but integer PCM needs the extension size in `fmt ` and a `fact` chunk.
 */
export function floatWavHeader(channels: number, sampleRate: number, frames: number | undefined): Uint8Array {
  const frameBytes = channels * SAMPLE_BYTES;
  const dataBytes = frames === undefined ? undefined : frames * frameBytes;
  const view = new DataView(new ArrayBuffer(WAV_HEADER_BYTES));
  let offset = 0;
  const tag = (name: string) => {
    for (const letter of name) view.setUint8(offset++, letter.charCodeAt(0));
  };
  const u16 = (value: number) => view.setUint16((offset += 2) - 2, value, true);
  const u32 = (value: number) => view.setUint32((offset += 4) - 4, value, true);
  const size = (value: number | undefined) => u32(Math.min(value ?? UNKNOWN_SIZE, UNKNOWN_SIZE));
  tag("RIFF");
  size(dataBytes === undefined ? undefined : dataBytes + WAV_HEADER_BYTES - 8);
  tag("WAVE");
  tag("fmt ");
  u32(18);
  u16(FORMAT_FLOAT);
  u16(channels);
  u32(sampleRate);
  u32(sampleRate * frameBytes);
  u16(frameBytes);
  u16(8 * SAMPLE_BYTES);
  u16(0);
  tag("fact");
  u32(4);
  size(frames);
  tag("data");
  size(dataBytes);
  return new Uint8Array(view.buffer);
}
