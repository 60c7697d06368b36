import type { Model, ModelModule } from "../../../src/model/model.ts";

/** Actions of the model, by the first sample of the audio. */
export const ORDERS = {
  answer: 0,
  throw: 1,
  exit: 2,
  hang: 3,
  spin: 4,
  bigint: 5,
  cycle: 6,
  reserved: 7,
  nan: 8,
  array: 9,
  sound: 10,
  scribble: 11,
  later: 12,
  laterThrow: 13,
  answerThenDie: 14,
  chatter: 15,
  optionsBack: 16,
  pause: 17,
  own: 18,
  native: 19,
  overtime: 20,
} as const;

/** How long `ORDERS.overtime` blocks the thread in native code, ms. */
export const OVERTIME_MS = 900;

class Puppet implements Model<object> {
  infer(
    audio: Float32Array,
    call: { options: unknown; final: boolean; traceparent?: string },
  ): object | Promise<object> {
    const usual = { count: audio.length, last: audio.at(-1) ?? null, final: call.final };
    switch (audio[0]) {
      case ORDERS.throw:
        throw new Error("the model's own words");
      case ORDERS.exit:
        return process.exit(3);
      case ORDERS.hang:
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        return usual;
      case ORDERS.spin:
        for (;;);
      case ORDERS.bigint:
        return { big: 5n };
      case ORDERS.cycle: {
        const loop: Record<string, unknown> = {};
        return Object.assign(loop, { loop });
      }
      case ORDERS.reserved:
        return { start_time: 1 };
      case ORDERS.nan:
        return { deep: { level: [NaN] } };
      case ORDERS.array:
        return [1];
      case ORDERS.sound:
        return { ...usual, audio: { samples: audio.map((sample) => sample / 2), sample_rate: 8000 } };
      case ORDERS.scribble:
        audio.fill(99);
        return usual;
      case ORDERS.later:
        return Bun.sleep(1).then(() => usual);
      case ORDERS.laterThrow:
        return Bun.sleep(1).then(() => {
          throw new Error("late words");
        });
      case ORDERS.answerThenDie:
        setTimeout(() => process.exit(4), 0);
        return usual;
      case ORDERS.chatter:
        postMessage("nonsense");
        postMessage({ type: "done", call: -1, answers: [] });
        return usual;
      case ORDERS.optionsBack:
        return { options: call.options ?? null, traceparent: call.traceparent ?? null };
      case ORDERS.pause:
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        return usual;
      case ORDERS.native:
        // Cannot be terminated, like a loop in C.
        Bun.sleepSync(2500);
        return usual;
      case ORDERS.overtime:
        Bun.sleepSync(OVERTIME_MS);
        return usual;
      case ORDERS.own:
        return { ...usual, audio };
      default:
        return usual;
    }
  }
}

export default {
  name: "puppet",
  load: () => new Puppet(),
} satisfies ModelModule;
