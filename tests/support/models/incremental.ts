import type { Call, ModelModule, PinnedStream } from "../../../src/model/model.ts";

interface Behaviour {
  /** Milliseconds that every third step takes. */
  readonly slow_ms: number;
  /** The first worker exits in the step that starts here, in seconds of the stream; -1: never. */
  readonly exits_at: number;
  /** The same, behind that step: between two calls. */
  readonly exits_after: number;
  /** Throws in the step that starts here. */
  readonly throws_at: number;
  /** Steps of this number have an endpoint; 0: none. */
  readonly endpoint: number;
}

const STARTS = -1;

/** What a recogniser would have heard of an utterance, in figures that any other audio changes. */
class Incremental implements PinnedStream<object> {
  readonly #behaviour: Behaviour;
  readonly #spawn: number;
  #samples = 0;
  #steps = 0;
  #digest = 0;

  constructor(behaviour: Behaviour, spawn: number) {
    this.#behaviour = behaviour;
    this.#spawn = spawn;
  }

  step(audio: Float32Array, { startSeconds, utterance, final }: Call): object {
    const { slow_ms, exits_at, exits_after, throws_at, endpoint } = this.#behaviour;
    const isAt = (place: number): boolean => place !== STARTS && Math.abs(startSeconds - place) < 1e-6;
    if (this.#spawn === 0 && isAt(exits_at)) process.exit(3);
    if (this.#spawn === 0 && isAt(exits_after)) setTimeout(() => process.exit(3), 1);
    if (isAt(throws_at)) throw new Error("not understood");
    if (slow_ms > 0 && this.#steps % 3 === 0) Bun.sleepSync(slow_ms);
    this.#samples += audio.length;
    this.#steps += 1;
    for (const sample of audio) this.#digest = (Math.imul(this.#digest, 31) + Math.round(sample * 32_768)) | 0;
    return { ...this.#said(utterance), final, ...(endpoint > 0 && this.#steps % endpoint === 0 && { endpoint: true }) };
  }

  finish({ utterance, final }: Call): object {
    return { ...this.#said(utterance), final };
  }

  reset(): void {
    this.#samples = this.#steps = this.#digest = 0;
  }

  close(): void {}

  #said(utterance: number | undefined): object {
    const end = this.#samples / 16_000;
    const words = [{ word: "all", start: 0, end }];
    return { samples: this.#samples, steps: this.#steps, digest: this.#digest, utterance, words };
  }
}

export default {
  name: "incremental",
  pinned: true,
  settings: {
    slow_ms: { default: 0 },
    exits_at: { default: STARTS },
    exits_after: { default: STARTS },
    throws_at: { default: STARTS },
    endpoint: { default: 0 },
  },
  load: (settings, { spawn }) => ({ open: () => new Incremental(settings as unknown as Behaviour, spawn) }),
} satisfies ModelModule;
