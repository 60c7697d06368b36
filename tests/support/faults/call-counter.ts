import { type Seam } from "./boundaries.ts";

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Counts the calls of methods until it is disposed of. */
export class CallCounter implements Disposable {
  readonly #calls = new Map<string, number>();
  readonly #restore = new DisposableStack();

  constructor(seams: readonly Seam[]) {
    for (const { of, method, name } of seams) {
      const owner = of.prototype as Record<string, Method>;
      const original = owner[method] as Method;
      const calls = this.#calls;
      owner[method] = function (...args) {
        calls.set(name, (calls.get(name) ?? 0) + 1);
        return original.apply(this, args);
      };
      this.#restore.defer(() => void (owner[method] = original));
    }
  }

  /** The calls of each method so far. */
  get counts(): ReadonlyMap<string, number> {
    return new Map(this.#calls);
  }

  [Symbol.dispose](): void {
    this.#restore.dispose();
  }
}
