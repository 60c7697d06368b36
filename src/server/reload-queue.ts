/**
 * Runs reloads one after the other. One that waits serves all that ask for the same meanwhile, since it begins after
 * they have asked.
 */
export class ReloadQueue<Result> {
  readonly #run: (model: string | undefined) => Promise<Result>;
  readonly #waiting = new Map<string | undefined, Promise<Result>>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param run reloads a model, or all of them */
  constructor(run: (model: string | undefined) => Promise<Result>) {
    this.#run = run;
  }

  /** Reloads a model; undefined: all. Resolves and rejects as `run` does. */
  request(model: string | undefined): Promise<Result> {
    const waiting = this.#waiting.get(model);
    if (waiting !== undefined) return waiting;
    const result = this.#last.then(() => {
      this.#waiting.delete(model);
      return this.#run(model);
    });
    this.#waiting.set(model, result);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
