declare const self: { onmessage: ((event: MessageEvent) => void) | null; postMessage(message: unknown): void };

/** The usual way, for comparison: audio arrives as a copy inside the message. */
self.onmessage = ({ data }: MessageEvent<{ call: number; audio: Float32Array }>) => {
  self.postMessage({ call: data.call, output: { count: data.audio.length } });
};
