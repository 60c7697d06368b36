declare const self: { onmessage: ((event: MessageEvent) => void) | null; postMessage(message: unknown): void };

/** The common way, for comparison: each message carries a copy of the audio. */
self.onmessage = ({ data }: MessageEvent<{ call: number; audio: Float32Array }>) => {
  self.postMessage({ call: data.call, output: { count: data.audio.length } });
};
