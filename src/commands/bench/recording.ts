import { clientFrame, OPCODE } from "../../client/websocket-frames.ts";
import type { SampleFormat } from "../../lib/sample-format.ts";
import { SAMPLE_FORMATS } from "../../lib/sample-format.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { encodeSample } from "./sample-encoders.ts";

/** Length of the quietest stretch of a recording, which is repeated to make pauses, in seconds. */
const BACKGROUND_SECONDS = 0.3;

/** What the streams of one format send, over and over: the messages as frames. All such streams share it. */
export interface Recording {
  readonly format: AudioFormat;
  readonly frames: readonly Uint8Array[];
  readonly messageMs: number;
  /** Bytes of audio in each message. */
  readonly messageBytes: number;
}

export interface RecordingOptions {
  readonly sampleFormat: SampleFormat;
  readonly sampleRate: number;
  readonly channels: number;
  readonly messageMs: number;
  /** Seconds of the recording's own background that follow it. */
  readonly pauseSeconds: number;
}

/**
 * Encodes mono samples at `sampleRate` as messages. The last incomplete message is left out. Each channel has the same
 * audio, shifted by a share of the whole, so that channels do not speak in unison.
 */
export function encodeRecording(samples: Float32Array, options: RecordingOptions): Recording {
  const { sampleFormat, sampleRate, channels, messageMs, pauseSeconds } = options;
  const { bytes, bit_depth, is_float, encoding } = SAMPLE_FORMATS[sampleFormat];
  const cycle = withPause(samples, Math.round(pauseSeconds * sampleRate), sampleRate);
  const frames = Math.round((messageMs * sampleRate) / 1000);
  const messageBytes = frames * channels * bytes;
  const write = encodeSample(sampleFormat);
  const messages = Array.from({ length: Math.floor(cycle.length / frames) }, (_, message) => {
    const payload = new Uint8Array(messageBytes);
    const view = new DataView(payload.buffer);
    for (let i = 0; i < frames * channels; i++) {
      const [frame, channel] = [message * frames + Math.floor(i / channels), i % channels];
      const shift = Math.floor((channel * cycle.length) / channels);
      write(view, i * bytes, cycle[(frame + shift) % cycle.length] ?? 0);
    }
    return clientFrame(OPCODE.binary, payload);
  });
  return {
    format: { channels, sample_rate: sampleRate, bit_depth, is_float, encoding },
    frames: messages,
    messageMs,
    messageBytes,
  };
}

/** Appends `pause` samples of background: the quietest stretch, forwards and backwards in turn, so without a jump. */
function withPause(samples: Float32Array, pause: number, sampleRate: number): Float32Array {
  const length = Math.min(samples.length, Math.round(BACKGROUND_SECONDS * sampleRate));
  const start = quietest(samples, length);
  const cycle = new Float32Array(samples.length + pause);
  cycle.set(samples);
  for (let i = 0; i < pause; i++) {
    const at = i % (2 * length);
    cycle[samples.length + i] = samples[start + (at < length ? at : 2 * length - 1 - at)] ?? 0;
  }
  return cycle;
}

/** Returns where the stretch of `length` samples with the least energy begins, in steps of its length. */
function quietest(samples: Float32Array, length: number): number {
  let [best, least] = [0, Infinity];
  for (let start = 0; start + length <= samples.length; start += length) {
    let energy = 0;
    for (let i = start; i < start + length; i++) energy += (samples[i] ?? 0) ** 2;
    if (energy < least) [best, least] = [start, energy];
  }
  return best;
}
