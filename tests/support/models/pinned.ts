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
  lose: 12,
  census: 13,
} as const;

/** How long `STEP_ORDERS.native` blocks, ms. */
export const NATIVE_MS = 900;

interface Behaviour {
  /** Receives `opened`, `stepping`, `finished`, `reset` and `closed` with the stream, `ended` with the worker. */
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
  /** Streams that are open. */
  count = 0;

  constructor(behaviour: Behaviour, spawn: number) {
    this.behaviour = behaviour;
    this.#spawn = spawn;
  }

  warmUp(): void {}

  open(): PinnedStream<object> {
    this.fail("open");
    const stream = new CountingStream(this, `${this.#spawn}.${this.#opened++}`);
    this.count++;
    if (!this.behaviour.resets) Object.assign(stream, { reset: undefined });
    return stream;
  }

  async stepBatch(
    streams: PinnedStream<object>[],
    audio: Float32Array[],
    calls: Call[],
  ): Promise<(object | undefined)[]> {
    // Before any of the streams has moved on.
    for (const [order] of audio) obey(order);
    const outputs = await Promise.all(streams.map((stream, i) => stream.step(audio[i]!, calls[i]!)));
    return outputs.map((output) => output && { ...output, together: streams.length });
  }

  close(): void {
    this.write(`ended ${this.#spawn}`);
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
    obey(audio[0]);
    this.#samples += audio.length;
    for (let i = 1; i < audio.length; i++) this.#sum += audio[i]!;
    const said = { stream: this.#id, samples: this.#samples, sum: this.#sum };
    switch (audio[0]) {
      case STEP_ORDERS.laterThrow:
        return Bun.sleep(5).then(() => Promise.reject(new Error("as ordered, later")));
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
      case STEP_ORDERS.census:
        return { ...said, open: this.#model.count };
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
    this.#model.count--;
    this.#model.fail("close");
  }
}

/** Does what leaves no stream as it was. */
function obey(order: number | undefined): void {
  if (order === STEP_ORDERS.throw) throw new Error("as ordered");
  if (order === STEP_ORDERS.lose) throw Object.assign(new Error("gone, as ordered"), { streamLost: true });
  if (order !== STEP_ORDERS.exit) return;
  process.exit(3);
  // A thread goes on for a moment.
  throw new Error("the worker is about to end");
}

export default {
  name: "pinned",
  maxBatch: 4,
  pinned: true,
  settings: { file: { default: "" }, resets: { default: true }, throws: { default: "" } },
  load: (settings, { spawn }) => new Counting(settings as unknown as Behaviour, spawn),
} satisfies ModelModule;
