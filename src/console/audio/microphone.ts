import { messageOf } from "../../lib/thrown.ts";
import type { Source } from "./source.ts";

const WORKLET_URL = "console/recorder.js";
/** Batches that wait to be sent, at most: 20 s. Past it the server or the network does not keep up. */
const MAX_WAITING = 1_000;

/** What a page cannot do about a microphone, in words. */
export class MicrophoneError extends Error {
  override readonly name = "MicrophoneError";
}

const REASONS: Readonly<Record<string, string>> = {
  NotAllowedError: "This page may not use the microphone: allow it in the browser, beside the address.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "The microphone cannot be opened: another program may be using it.",
  OverconstrainedError: "This microphone is gone: choose another one.",
};

/**
 * Opens a microphone, as it is: without echo cancellation, noise suppression and automatic gain, which would hide from
 * the detector what it is there for. Throws MicrophoneError.
 * @param deviceId undefined: the one that the browser prefers
 */
export async function openMicrophone(deviceId: string | undefined): Promise<Source> {
  // Browsers hide microphones from pages that came over plain HTTP, except from this machine.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new MicrophoneError(
      "Browsers give the microphone to pages from https:// or from localhost only: set server.tls_cert and server.tls_key.",
    );
  }
  const constraints: MediaTrackConstraints = {
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
    ...(deviceId !== undefined && { deviceId: { exact: deviceId } }),
  };
  const stream = await devices.getUserMedia({ audio: constraints }).catch((error: unknown) => {
    const name = error instanceof Error ? error.name : "";
    throw new MicrophoneError(REASONS[name] ?? `The microphone cannot be opened: ${String(error)}`);
  });
  const [track] = stream.getAudioTracks();
  // At the rate of the device, as the browser has it.
  const context = new AudioContext();
  const close = async (): Promise<void> => {
    for (const each of stream.getTracks()) each.stop();
    await context.close();
  };
  try {
    await context.audioWorklet.addModule(WORKLET_URL);
  } catch (error) {
    await close();
    throw new MicrophoneError(`The recorder cannot be loaded: ${messageOf(error)}`);
  }
  const channels = track?.getSettings().channelCount ?? 1;
  return {
    name: track?.label || "microphone",
    sampleRate: context.sampleRate,
    channels,
    isPaced: true,
    seconds: undefined,
    run: (take, signal) => record({ context, stream, channels }, take, signal),
    close,
  };
}

interface Opened {
  readonly context: AudioContext;
  readonly stream: MediaStream;
  readonly channels: number;
}

async function record(
  { context, stream, channels }: Opened,
  take: (planes: Float32Array[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const waiting: Float32Array[][] = [];
  let sending: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    for (let planes = waiting.shift(); planes !== undefined; planes = waiting.shift()) await take(planes);
    sending = undefined;
  };
  const input = context.createMediaStreamSource(stream);
  const recorder = new AudioWorkletNode(context, "recorder", {
    numberOfOutputs: 0,
    channelCount: channels,
    channelCountMode: "explicit",
  });
  recorder.port.onmessage = ({ data }: MessageEvent<Float32Array[]>) => {
    if (waiting.length >= MAX_WAITING)
      ended.reject(new Error("the server does not take the audio as fast as it is spoken"));
    waiting.push(data);
    sending ??= send();
    sending.catch(ended.reject);
  };
  stream.getAudioTracks()[0]?.addEventListener("ended", () => ended.reject(new Error("the microphone is gone")));
  signal.addEventListener("abort", () => ended.resolve());
  if (signal.aborted) return;
  input.connect(recorder);
  try {
    await ended.promise;
  } finally {
    recorder.port.onmessage = null;
    input.disconnect();
  }
  // What was spoken before the end is sent before it.
  await sending;
}
