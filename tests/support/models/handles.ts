import { appendFileSync } from "node:fs";

import type { ModelModule, StatefulModel } from "../../../src/model/model.ts";
import { ORDERS } from "./puppet.ts";

/** A state that stands for something outside of JavaScript, such as memory of a C library. */
export interface Handle {
  readonly id: string;
  readonly steps: number;
  readonly strange?: unknown;
}

/** How long `ORDERS.native` blocks, ms. */
export const NATIVE_MS = 800;

const SLOW = new Set<number | undefined>([ORDERS.laterThrow, ORDERS.exit, ORDERS.native, ORDERS.pause]);

/**
 * Writes to a file which handles it opens and which it releases: `started`, `finished` or `disposed`, id, steps; and
 * `stepping` when a step that takes a while has begun.
 */
class Handles implements StatefulModel<object, Handle> {
  readonly #file: string;
  /** The model has `finish`. */
  finish?: (handle: Handle) => object;

  constructor(file: string, finishes: boolean) {
    this.#file = file;
    if (finishes) {
      this.finish = (handle) => {
        this.#write("finished", handle);
        return { steps: handle.steps };
      };
    }
  }

  start(): Handle {
    const handle = { id: crypto.randomUUID(), steps: 0 };
    this.#write("started", handle);
    return handle;
  }

  step(audio: Float32Array, handle: Handle): [object | undefined, Handle] | Promise<[object | undefined, Handle]> {
    const next: Handle = { ...handle, steps: handle.steps + 1 };
    if (SLOW.has(audio[0])) this.#write("stepping", handle);
    switch (audio[0]) {
      case ORDERS.throw:
        throw new Error("as ordered");
      case ORDERS.laterThrow:
        return Bun.sleep(20).then(() => Promise.reject(new Error("as ordered, later")));
      case ORDERS.exit:
        return Bun.sleep(20).then(() => process.exit(3));
      case ORDERS.reserved:
        return [{ channel: 1 }, next];
      case ORDERS.bigint:
        return [{}, { ...next, strange: () => 1 }];
      case ORDERS.native:
        Bun.sleepSync(NATIVE_MS);
        break;
      case ORDERS.pause:
        return Bun.sleep(20).then(() => [{}, next]);
    }
    return [{ steps: next.steps }, next];
  }

  dispose(handle: Handle): void {
    this.#write("disposed", handle);
  }

  #write(event: string, { id, steps }: Handle): void {
    appendFileSync(this.#file, `${event} ${id} ${steps}\n`);
  }
}

export default {
  name: "handles",
  settings: { file: { default: "" }, finishes: { default: true } },
  load: ({ file, finishes }) => new Handles(String(file), finishes === true),
} satisfies ModelModule;
