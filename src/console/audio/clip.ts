import type { Source } from "./source.ts";
import { readWavRate } from "./wav-rate.ts";

/** Seconds of one message. */
const PIECE_SECONDS = 0.04;
/** The rate of decoding, Hz, for files that do not say theirs in a WAV header. */
const DEFAULT_RATE = 48_000;
/** Largest file, bytes: all of it is decoded in memory, 32 bits a sample. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** A file cannot be used, in words. */
export class ClipError extends Error {
  override readonly name = "ClipError";
}

/** Audio that has been decoded. */
export interface Clip {
  readonly name: string;
  readonly buffer: AudioBuffer;
}

/**
 * Decodes a file, in any format that the browser knows, at the rate of its WAV header or else at 48 kHz. Throws
 * ClipError.
 */
export async function decodeClip(name: string, file: Blob): Promise<Clip> {
  if (file.size > MAX_FILE_BYTES) {
    throw new ClipError(`${name} has ${file.size} bytes; at most ${MAX_FILE_BYTES} can be decoded in the browser.`);
  }
  const bytes = await file.arrayBuffer();
  const rate = readWavRate(new Uint8Array(bytes)) ?? DEFAULT_RATE;
  try {
    const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
    return { name, buffer };
  } catch {
    throw new ClipError(`${name}: this browser cannot decode it. Is it audio?`);
  }
}

/** How a clip is streamed. */
export interface ClipPlay {
  /** At the pace of speech; else as fast as the server takes it. */
  readonly isPaced: boolean;
  /** It is played aloud at the same time. */
  readonly isHeard: boolean;
}

export function clipSource({ name, buffer }: Clip, { isPaced, isHeard }: ClipPlay): Source {
  const { sampleRate, numberOfChannels: channels } = buffer;
  const planes = Array.from({ length: channels }, (_, channel) => buffer.getChannelData(channel));
  return {
    name,
    sampleRate,
    channels,
    isPaced,
    seconds: buffer.duration,
    async run(take, signal) {
      const player = isPaced && isHeard ? play(buffer) : undefined;
      try {
        const piece = Math.round(PIECE_SECONDS * sampleRate);
        const begun = performance.now();
        for (let at = 0; at < buffer.length && !signal.aborted; at += piece) {
          // A piece leaves when its last sample would have been spoken.
          const due = begun + (Math.min(buffer.length, at + piece) / sampleRate) * 1000;
          if (isPaced) await pause(due - performance.now(), signal);
          if (!signal.aborted) await take(planes.map((plane) => plane.subarray(at, at + piece)));
        }
      } finally {
        await player?.close();
      }
    },
    close: () => Promise.resolve(),
  };
}

function play(buffer: AudioBuffer): AudioContext {
  const context = new AudioContext();
  const node = new AudioBufferSourceNode(context, { buffer });
  node.connect(context.destination);
  node.start();
  return context;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
