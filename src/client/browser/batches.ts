import { MicrophoneError } from "./microphone-error.ts";

/** Samples of one channel each, all equally long, from -1 to 1. */
export type Planes = Float32Array<ArrayBuffer>[];

/** What was recorded and not read yet, for one reader. */
export class Batches {
  /** Samples of one channel that may wait. */
  readonly #limit: number;
  #waiting: Planes[] = [];
  #samples = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param limit samples of one channel that may wait */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds a batch. Past the limit the recording fails (`overrun`); what waits is still read. */
  push(planes: Planes): void {
    if (this.#ended) return;
    if (this.#samples > this.#limit) {
      return this.end(new MicrophoneError("overrun", "The audio is not taken as fast as it is spoken."));
    }
    this.#waiting.push(planes);
    this.#samples += planes[0]?.length ?? 0;
    this.#wake?.();
  }

  /** Nothing follows. Reading what waits goes on, then ends or throws the failure. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  async *read(): AsyncGenerator<Planes, void> {
    for (;;) {
      const planes = this.#waiting.shift();
      if (planes !== undefined) {
        this.#samples -= planes[0]?.length ?? 0;
        yield planes;
      } else if (this.#ended) {
        if (this.#failure !== undefined) throw this.#failure;
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
      }
    }
  }
}
