/** A call without a result. */
interface OpenCall {
  readonly call: number;
  readonly jobs: number;
  taken: boolean;
}

/** The calls of a process that have no result. They end in any order. */
export class ProcessCalls {
  readonly #open = new Map<number, OpenCall>();
  /** The process reports the calls that it takes, because it may have several. Otherwise each is taken at once. */
  reportsTaken = false;

  get size(): number {
    return this.#open.size;
  }

  get numbers(): number[] {
    return [...this.#open.keys()];
  }

  add(call: number, jobs: number): void {
    this.#open.set(call, { call, jobs, taken: !this.reportsTaken });
  }

  /** @param call number that a process has sent */
  find(call: unknown): OpenCall | undefined {
    return this.#open.get(call as number);
  }

  hasTaken(call: number): boolean {
    return this.#open.get(call)?.taken === true;
  }

  /** Removes a call. */
  remove(call: number): boolean {
    return this.#open.delete(call);
  }
}
