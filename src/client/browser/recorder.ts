// Runs in the audio thread of the browser, as a module of its own.

declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: Float32Array[][]): boolean;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Samples of one message to the page, per channel: 21 ms at 48 kHz. A browser gives 128 at a time. */
const BATCH = 1_024;

/** Passes what the microphone records to the page. Any message from there ends it: the rest comes, and then null. */
class Recorder extends AudioWorkletProcessor {
  #planes: Float32Array<ArrayBuffer>[] = [];
  #filled = 0;
  #ended = false;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#ended = true;
      if (this.#filled > 0) this.#post(this.#planes.map((plane) => plane.slice(0, this.#filled)));
      this.port.postMessage(null);
    };
  }

  override process([input]: Float32Array[][]): boolean {
    if (this.#ended) return false;
    // Without an input the device is starting, or gone.
    if (input === undefined || input.length === 0) return true;
    if (this.#planes.length !== input.length) this.#begin(input.length);
    for (const [channel, plane] of this.#planes.entries()) plane.set(input[channel]!, this.#filled);
    this.#filled += input[0]!.length;
    if (this.#filled < BATCH) return true;
    const planes = this.#planes;
    this.#begin(planes.length);
    this.#post(planes);
    return true;
  }

  #begin(channels: number): void {
    this.#planes = Array.from({ length: channels }, () => new Float32Array(BATCH));
    this.#filled = 0;
  }

  #post(planes: Float32Array<ArrayBuffer>[]): void {
    this.port.postMessage(
      planes,
      planes.map(({ buffer }) => buffer),
    );
  }
}

registerProcessor("recorder", Recorder);
