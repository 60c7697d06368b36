import { messageOf } from "../../lib/thrown.ts";
import type { AudioFormat } from "../types/start.ts";
import { Batches, type Planes } from "./batches.ts";
import { interleave, interleaveFloats } from "./interleave.ts";
import { MicrophoneError, microphoneError } from "./microphone-error.ts";
import { WORKLET_SOURCE } from "./worklet-source.ts";

export { MicrophoneError, type MicrophoneErrorCode } from "./microphone-error.ts";

/** Audio that may wait to be read, in seconds. Past it the server or the network does not keep up. */
const MAX_WAITING_SECONDS = 20;
/** Longest wait for the last samples of a recorder, in milliseconds. */
const LAST_SAMPLES_MS = 250;

/** How a microphone is opened. */
export interface MicrophoneOptions {
  /** Of `navigator.mediaDevices.enumerateDevices()`; default: the one that the browser prefers. */
  readonly deviceId?: string | undefined;
  /** Channels to record, if the device has them; default: those that the browser gives. */
  readonly channels?: number | undefined;
  /** The channels to send, counted from 0, in this order: `[0]` is the left one. Default: all. */
  readonly pick?: readonly number[] | undefined;
  /** `s16`, the default: 16-bit integers; `f32`: 32-bit floats, twice the bytes. */
  readonly sampleFormat?: "s16" | "f32" | undefined;
  /**
   * More for `getUserMedia`. By default echo cancellation, noise suppression and automatic gain are off: they would hide
   * from the detector of the server what it is there for. Switch them on for a conversation over loudspeakers.
   */
  readonly constraints?: MediaTrackConstraints | undefined;
  /**
   * Address of `streamer-client/worklet`, as the page has it: for pages whose policy (`script-src`) does not allow
   * `blob:`.
   */
  readonly workletUrl?: string | URL | undefined;
}

/**
 * Opens a microphone, at the rate of the device: asks the user, if need be. Rejects with a MicrophoneError, and with a
 * RangeError for channels that the device does not have.
 */
export async function openMicrophone(options: MicrophoneOptions = {}): Promise<Microphone> {
  const { deviceId, channels: wanted, pick, sampleFormat = "s16", constraints } = options;
  // Browsers hide microphones from pages that came over plain HTTP, except from this machine.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    const message = "Browsers give the microphone to pages from https:// or from localhost only.";
    throw new MicrophoneError("insecure", message);
  }
  const audio: MediaTrackConstraints = {
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
    ...(deviceId !== undefined && { deviceId: { exact: deviceId } }),
    ...(wanted !== undefined && { channelCount: wanted }),
    ...constraints,
  };
  const stream = await devices.getUserMedia({ audio }).catch((error: unknown) => {
    throw microphoneError(error);
  });
  // At the rate of the device, as the browser has it.
  const context = new AudioContext();
  try {
    await loadRecorder(context, options.workletUrl);
    const track = stream.getAudioTracks()[0];
    const recorded = track?.getSettings().channelCount ?? 1;
    const channels = pick ?? Array.from({ length: recorded }, (_, channel) => channel);
    const missing = channels.find((channel) => !Number.isInteger(channel) || channel < 0 || channel >= recorded);
    if (missing !== undefined || channels.length === 0) {
      throw new RangeError(`pick: found ${missing ?? "no channel"}; allowed: channels from 0 to ${recorded - 1}`);
    }
    return new Microphone({ context, stream, recorded, channels, sampleFormat });
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
    throw error;
  }
}

async function loadRecorder(context: AudioContext, given: string | URL | undefined): Promise<void> {
  const made =
    given === undefined ? URL.createObjectURL(new Blob([WORKLET_SOURCE ?? ""], { type: "text/javascript" })) : "";
  try {
    await context.audioWorklet.addModule(given ?? made);
  } catch (error) {
    const remedy = given === undefined ? "; if the policy of the page forbids blob:, give workletUrl" : "";
    throw new MicrophoneError("unavailable", `The recorder cannot be loaded: ${messageOf(error)}${remedy}`, {
      cause: error,
    });
  } finally {
    if (given === undefined) URL.revokeObjectURL(made);
  }
}

interface Opened {
  readonly context: AudioContext;
  readonly stream: MediaStream;
  /** Channels of the device. */
  readonly recorded: number;
  /** Those to send. */
  readonly channels: readonly number[];
  readonly sampleFormat: "s16" | "f32";
}

/** An open microphone. It records from when it is first read until it is stopped. Made by `openMicrophone`. */
export class Microphone implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  /** What a person calls it. */
  readonly name: string;
  /** For the start of a stream. */
  readonly format: AudioFormat;
  readonly #opened: Opened;
  readonly #batches: Batches;
  #recorder: AudioWorkletNode | undefined;
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(opened: Opened) {
    const { context, stream, channels, sampleFormat } = opened;
    const { sampleRate } = context;
    this.#opened = opened;
    this.#batches = new Batches(MAX_WAITING_SECONDS * sampleRate);
    const isFloat = sampleFormat === "f32";
    this.format = {
      channels: channels.length,
      sample_rate: sampleRate,
      bit_depth: isFloat ? 32 : 16,
      is_float: isFloat,
      encoding: "pcm",
    };
    const [track] = stream.getAudioTracks();
    this.name = track?.label || "microphone";
    track?.addEventListener("ended", () => {
      if (this.#stopping === undefined) this.#batches.end(new MicrophoneError("gone", "The microphone is gone."));
    });
  }

  /**
   * The audio in the format of the stream, about 20 ms at a time, for one reader: `client.sendAll(microphone)`. Ends
   * when the microphone is stopped. Throws a MicrophoneError (`gone`; `overrun` when 20 s wait to be read).
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const encode = this.#opened.sampleFormat === "f32" ? interleaveFloats : interleave;
    for await (const planes of this.planes()) yield encode(planes);
  }

  /** The same as samples from -1 to 1, an array for each channel. A reader that leaves stops the microphone. */
  async *planes(): AsyncGenerator<Planes, void> {
    this.#record();
    try {
      for await (const planes of this.#batches.read()) yield this.#opened.channels.map((channel) => planes[channel]!);
    } finally {
      await this.stop();
    }
  }

  /** Ends the recording, and gives the device back. What was recorded is still read. Resolves when that is done. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  #record(): void {
    if (this.#recorder !== undefined || this.#stopping !== undefined) return;
    const { context, stream, recorded } = this.#opened;
    const recorder = new AudioWorkletNode(context, "recorder", {
      numberOfOutputs: 0,
      channelCount: recorded,
      channelCountMode: "explicit",
    });
    this.#recorder = recorder;
    recorder.port.onmessage = ({ data }: MessageEvent<Planes | null>) => {
      if (data === null) this.#batches.end();
      else this.#batches.push(data);
    };
    context.createMediaStreamSource(stream).connect(recorder);
    // Suspended until the user has done something with the page: then it goes on by itself.
    context.resume().catch(() => undefined);
  }

  async #stop(): Promise<void> {
    const { context, stream } = this.#opened;
    const recorder = this.#recorder;
    if (recorder !== undefined) {
      const last = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LAST_SAMPLES_MS);
        recorder.port.addEventListener("message", ({ data }: MessageEvent<Planes | null>) => {
          if (data !== null) return;
          clearTimeout(timer);
          resolve();
        });
      });
      recorder.port.postMessage("end");
      await last;
    }
    this.#batches.end();
    for (const track of stream.getTracks()) track.stop();
    await context.close();
  }
}
