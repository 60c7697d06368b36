import type { ModelModule, PinnedModel, PinnedStream } from "../../../src/model/model.ts";

interface Heard {
  text: string;
  total?: number;
  words?: unknown;
  endpoint?: boolean;
}

/** Samples that all streams of the worker have had. */
let shared = 0;
let open = 0;
const kept: unknown[] = [];

/** A stream that counts its samples, and breaks one rule. */
class CountingStream implements PinnedStream<Heard> {
  readonly reset?: () => void;
  readonly #how: string;
  readonly #burden: Float32Array;
  #total = 0;

  constructor(how: string) {
    this.#how = how;
    // Written to, so that it counts as resident.
    this.#burden = new Float32Array(how === "leaks" ? 512 * 1024 : 0).fill(0.5);
    open++;
    if (how !== "resetless") {
      this.reset = () => {
        if (how !== "remembers") this.#total = 0;
      };
    }
  }

  step(audio: Float32Array): Heard | undefined {
    const how = this.#how;
    if (how === "picky" && audio.length % 400 !== 0) throw new Error("blocks of 100 ms only");
    this.#total += audio.length;
    shared += audio.length;
    if (how === "slower") Bun.sleepSync((this.#total / 40_000) ** 2);
    if (how === "silent") return { text: " " };
    if (how === "mute") return undefined;
    if (how === "ends" && this.#total >= 2000) return { ...this.#heard(), endpoint: true };
    return this.#heard();
  }

  finish(): Heard | undefined {
    if (this.#how === "mute") return undefined;
    if (this.#how === "silent") return { text: "" };
    return this.#heard();
  }

  close(): void {
    open--;
    if (this.#how === "leaks") kept.push(this.#burden);
  }

  #heard(): Heard {
    const total = this.#how === "shares" ? shared : this.#total;
    if (this.#how === "late words") return { text: "late", words: [{ word: "late", start: 50, end: 60 }] };
    if (this.#how === "odd words") return { text: "odd", words: ["odd"] };
    return { text: this.#how === "counts open" && open > 1 ? "many" : "one", total };
  }
}

/** A pinned model that breaks one rule, for `model check`. */
class MisbehavingPinned implements PinnedModel<Heard> {
  readonly #how: string;

  constructor(how: string) {
    this.#how = how;
  }

  warmUp(): void {}

  open(): CountingStream {
    if (this.#how === "closed") throw new Error("no more streams");
    return new CountingStream(this.#how);
  }
}

export default {
  name: "misbehaving-pinned",
  sampleRate: 4000,
  settings: { how: { default: "" } },
  load: ({ how }) => new MisbehavingPinned(String(how)),
} satisfies ModelModule;
