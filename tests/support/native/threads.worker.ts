// One of several threads of threads.test.ts: resamples into the shared memory of its message.
import { PcmConverter } from "../../../src/native/pcm.ts";
import { Resampler } from "../../../src/native/resampler.ts";

declare const self: Worker;

self.onmessage = (event: MessageEvent<{ memory: SharedArrayBuffer; offset: number; rates: number[] }>) => {
  const { memory, offset, rates } = event.data;
  const samples = new Float32Array(memory);
  using converter = new PcmConverter("s16", 1);
  const input = new Float32Array(4096);
  const bytes = Uint8Array.from({ length: 8192 }, (_, i) => (i * 7919) >>> 3);
  converter.process(bytes, 0, bytes.length, input, Uint32Array.of(0));
  let at = offset;
  for (const rate of rates) {
    using resampler = new Resampler(rate, 16000);
    at += resampler.process(input, 0, input.length, samples, at);
    at += resampler.flush(samples, at, 4096);
  }
  self.postMessage(at - offset);
};
