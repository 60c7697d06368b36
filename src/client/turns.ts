import { untilAborted } from "../lib/until-aborted.ts";

/** Runs tasks one after the other, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** No task runs or waits. */
  get isFree(): boolean {
    return this.#waiting === 0;
  }

  /**
   * Runs a task when those before it are done, however they end. Settles like the task, or rejects with the reason of
   * `signal` if that is aborted before its turn: it does not run then.
   */
  async next<Value>(task: () => Value | Promise<Value>, signal?: AbortSignal): Promise<Value> {
    this.#waiting += 1;
    const before = this.#last;
    const run = (async () => {
      await before;
      signal?.throwIfAborted();
      return await task();
    })();
    const done = () => void (this.#waiting -= 1);
    this.#last = run.then(done, done);
    return await (signal === undefined ? run : untilAborted(run, signal));
  }
}
