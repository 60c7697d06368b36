import { appendFileSync } from "node:fs";

import type { Call, ModelModule, PinnedModel, PinnedStream } from "../../../src/model/model.ts";

/** Actions of a step, by the first sample of its audio. Others return how many samples the utterance has. */
export const STEP_ORDERS = {
  throw: 1,
  exit: 2,
  native: 3,
  endpoint: 4,
  onlyEndpoint: 5,
  nothing: 6,
  later: 7,
  laterThrow: 8,
  callBack: 9,
  strangeEndpoint: 10,
  pause: 11,
} as const;

/** How long `STEP_ORDERS.native` blocks, ms. */
export const NATIVE_MS = 900;

interface Behaviour {
  /** Receives `opened`, `stepping`, `finished`, `reset` and `closed`, with the number of the stream; "" for none. */
  readonly file: string;
  readonly resets: boolean;
  /** Methods that throw: `open`, `finish`, `reset`, `close`, `closeModel`. */
  readonly throws: string;
}

/** Streams that count and sum their samples. */
class Counting implements PinnedModel<object> {
  readonly behaviour: Behaviour;
  readonly #spawn: number;
  #opened = 0;

  constructor(behaviour: Behaviour, spawn: number) {
    this.behaviour = behaviour;
    this.#spawn = spawn;
  }

  warmUp(): void {}

  open(): PinnedStream<object> {
    this.fail("open");
    const stream = new CountingStream(this, `${this.#spawn}.${this.#opened++}`);
    if (!this.behaviour.resets) Object.assign(stream, { reset: undefined });
    return stream;
  }

  stepBatch(streams: PinnedStream<object>[], audio: Float32Array[], calls: Call[]): (object | undefined)[] {
    if (audio.some(([order]) => order === STEP_ORDERS.throw)) throw new Error("as ordered");
    return streams.map((stream, i) => {
      const output = stream.step(audio[i]!, calls[i]!);
      return output instanceof Promise ? { late: true } : output && { ...output, together: streams.length };
    });
  }

  close(): void {
    this.write("model closed");
    this.fail("closeModel");
  }

  fail(what: string): void {
    if (this.behaviour.throws.split(" ").includes(what)) throw new Error(`${what} fails`);
  }

  write(event: string): void {
    if (this.behaviour.file !== "") appendFileSync(this.behaviour.file, `${event}\n`);
  }
}

class CountingStream implements PinnedStream<object> {
  readonly #model: Counting;
  readonly #id: string;
  #samples = 0;
  #sum = 0;

  constructor(model: Counting, id: string) {
    this.#model = model;
    this.#id = id;
    model.write(`opened ${id}`);
  }

  step(audio: Float32Array, call: Call): object | undefined | Promise<object | undefined> {
    if (audio[0] === STEP_ORDERS.throw) throw new Error("as ordered");
    this.#samples += audio.length;
    for (let i = 1; i < audio.length; i++) this.#sum += audio[i]!;
    const said = { stream: this.#id, samples: this.#samples, sum: this.#sum };
    switch (audio[0]) {
      case STEP_ORDERS.laterThrow:
        return Bun.sleep(5).then(() => Promise.reject(new Error("as ordered, later")));
      case STEP_ORDERS.exit:
        return process.exit(3);
      case STEP_ORDERS.native:
        this.#model.write(`stepping ${this.#id}`);
        Bun.sleepSync(NATIVE_MS);
        return said;
      case STEP_ORDERS.later:
        this.#model.write(`stepping ${this.#id}`);
        return Bun.sleep(20).then(() => said);
      case STEP_ORDERS.pause:
        Bun.sleepSync(2);
        return said;
      case STEP_ORDERS.endpoint:
        return { ...said, endpoint: true };
      case STEP_ORDERS.onlyEndpoint:
        return { endpoint: true };
      case STEP_ORDERS.strangeEndpoint:
        return { endpoint: 1 };
      case STEP_ORDERS.nothing:
        return undefined;
      case STEP_ORDERS.callBack: {
        const { startSeconds, utterance = null, options = null, traceparent = null } = call;
        return { start: startSeconds, utterance, options, traceparent };
      }
      default:
        return said;
    }
  }

  finish(): object {
    this.#model.write(`finished ${this.#id}`);
    this.#model.fail("finish");
    return { stream: this.#id, total: this.#samples, sum: this.#sum };
  }

  reset(): void {
    this.#model.write(`reset ${this.#id}`);
    this.#model.fail("reset");
    this.#samples = this.#sum = 0;
  }

  close(): void {
    this.#model.write(`closed ${this.#id}`);
    this.#model.fail("close");
  }
}

export default {
  name: "pinned",
  maxBatch: 4,
  pinned: true,
  settings: { file: { default: "" }, resets: { default: true }, throws: { default: "" } },
  load: (settings, { spawn }) => new Counting(settings as unknown as Behaviour, spawn),
} satisfies ModelModule;
