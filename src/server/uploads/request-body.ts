/**
 * Most bytes, and longest time, for which the rest of a body is read that nobody wants, when its length is not known or
 * not one that is allowed. If its bytes found nobody, the kernel would answer with a reset, and that overtakes the
 * answer: some clients read nothing before they have sent everything.
 */
const FAREWELL_BYTES = 16 * 1024 * 1024;
const FAREWELL_MS = 8_000;
/** A client that sends nothing for so long waits for the answer. */
const QUIET_MS = 1_000;

/** The body of a request, which is read in turn. */
export class RequestBody {
  readonly #reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read"> | undefined;
  readonly #declared: number | undefined;
  #received = 0;
  #isComplete: boolean;

  /** @param request its body has not been read */
  constructor({ headers, body }: Pick<Request, "headers" | "body">) {
    this.#declared = declaredBytes(headers);
    this.#reader = body?.getReader();
    this.#isComplete = body === null;
  }

  /** Bytes by the header of the request; undefined: it does not say. */
  get declared(): number | undefined {
    return this.#declared;
  }

  /** All of it has been read. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Bytes that have been read. */
  get received(): number {
    return this.#received;
  }

  /** Returns the next bytes; undefined at the end. Throws when the client is gone. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#isComplete || this.#reader === undefined) return undefined;
    const { done, value } = await this.#reader.read();
    if (done) this.#isComplete = true;
    else this.#received += value.length;
    return value;
  }

  /**
   * Decides what is done with the rest when the answer is known. Bun 1.4.5 reads and discards the rest of a body that
   * nobody reads, which is as it should be for one whose end is near; of others a part is discarded here.
   * @param most bytes that a body may have
   * @returns true when the connection can be used again
   */
  async abandon(most: number): Promise<boolean> {
    if (this.#isComplete || (this.#declared !== undefined && this.#declared <= most)) return true;
    const end = this.#received + FAREWELL_BYTES;
    const latest = performance.now() + FAREWELL_MS;
    try {
      while (this.#received < end && performance.now() < latest) {
        const bytes = await Promise.race([this.read(), Bun.sleep(QUIET_MS).then(() => "quiet" as const)]);
        if (bytes === undefined) return true;
        if (bytes === "quiet") return false;
      }
    } catch {
      // The client is gone.
    }
    return false;
  }
}

/** Returns the bytes of a body by its headers; undefined: they do not say. */
export function declaredBytes(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  if (headers.has("transfer-encoding") || length === null) return undefined;
  // Bun takes several lengths if they are the same: `2, 2` is 2.
  return Number.parseInt(length, 10);
}
