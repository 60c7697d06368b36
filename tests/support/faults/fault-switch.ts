import { SEAMS } from "./boundaries.ts";

/**
 * `throw`: the call throws in place of its work. `rejection`: the promise that the call returns is rejected; one that
 * returns none does its work and leaves a rejected promise behind, as a forgotten `await` does.
 */
export type FaultKind = "throw" | "rejection";

export const FAULT_KINDS: readonly FaultKind[] = ["throw", "rejection"];

/** Begin of the message of every fault, to be found in the log. */
export const FAULT_MESSAGE = "a fault made by the test at";

export class InjectedFault extends Error {
  override readonly name = "InjectedFault";
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Makes one call of a method fail: the method of the class is replaced until then. */
export class FaultSwitch {
  #fired = 0;
  #restore = (): void => {};

  /** Faults so far. */
  get fired(): number {
    return this.#fired;
  }

  /** @param skip calls that succeed before the one that fails; @param fired called when it fails */
  arm(name: string, kind: FaultKind, skip: number, fired = (): void => {}): void {
    this.disarm();
    const seam = SEAMS.find((each) => each.name === name);
    if (seam === undefined) throw new Error(`no boundary is called ${name}`);
    const { of, method } = seam;
    const owner = of.prototype as Record<string, Method>;
    const original = owner[method] as Method;
    const fire = (): InjectedFault => {
      this.disarm();
      this.#fired++;
      fired();
      return new InjectedFault(`${FAULT_MESSAGE} ${name}`);
    };
    let left = skip;
    owner[method] = function (...args) {
      if (left-- > 0) return original.apply(this, args);
      const fault = fire();
      if (kind === "throw") throw fault;
      const result = original.apply(this, args);
      const rejected = Promise.reject(fault);
      if (!(result instanceof Promise)) return result;
      result.catch(() => {});
      return rejected;
    };
    this.#restore = () => void (owner[method] = original);
  }

  disarm(): void {
    this.#restore();
    this.#restore = () => {};
  }
}
