// Fuzzing of the protocol over the wire: the sessions of a server in another process.

import { parseEvent } from "../../../src/protocol/events.ts";
import { seeded } from "../audio.ts";
import { withTimeout } from "../wait.ts";
import { ConversationModel } from "./conversation-model.ts";
import { type Corpus, type Path, PATHS } from "./corpus.ts";
import { describeSent, HostileClient, type Sent } from "./grammar.ts";

/** Bytes that may wait in the client's socket before it sends more. */
const MOST_BUFFERED = 262_144;
/** Messages that were sent last, in the report of a failure. */
const REPORTED = 12;

/** One session over a WebSocket. */
export class WireSession {
  readonly path: Path;
  readonly model: ConversationModel;
  sent = 0;
  readonly #next: () => number;
  readonly #client: HostileClient;
  readonly #socket: WebSocket;
  readonly #seed: number;
  readonly #last: Sent[] = [];
  readonly #closed = Promise.withResolvers<number>();
  /** What the model has found against an event. */
  #fault: Error | undefined;
  #arrived: (() => void) | undefined;

  /** @param seed decides everything that the client does */
  constructor(port: number, corpus: Corpus, seed: number) {
    this.#seed = seed;
    this.#next = seeded(seed);
    this.path = PATHS[Math.floor(this.#next() * PATHS.length)]!;
    this.#client = new HostileClient(this.#next, corpus);
    this.model = new ConversationModel(this.path, (path, text) => corpus.judge(path, text), true);
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/${this.path}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => this.#received(String(data));
    this.#socket.onclose = ({ code }) => {
      this.#closed.resolve(code);
      this.#arrived?.();
    };
  }

  /** Runs the session to its end. Throws an error that has its seed and the last messages. */
  async run(messages: number): Promise<void> {
    try {
      await this.#opened();
      while (this.sent < messages && this.model.closeCode === undefined) {
        for (let i = 0; i < 50 && this.model.closeCode === undefined; i++) this.#send(this.#client.message(this.model));
        while (this.#socket.bufferedAmount > MOST_BUFFERED) await Bun.sleep(1);
        if (this.#next() < 0.2) await Bun.sleep(0);
        if (this.#fault !== undefined) throw this.#fault;
      }
      await this.#end();
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const last = this.#last.map((message) => `  ${describeSent(message)}`).join("\n");
      throw new Error(`session with seed ${this.#seed} on /${this.path}: ${problem}\nlast messages:\n${last}`, {
        cause: error,
      });
    } finally {
      this.#socket.close();
    }
  }

  async #opened(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.onopen = () => resolve();
    this.#socket.onerror = () => reject(new Error("the connection was refused"));
    await withTimeout("the connection to open", promise);
    this.#socket.onerror = null;
  }

  #send(message: Sent): void {
    this.#last.push(message);
    if (this.#last.length > REPORTED) this.#last.shift();
    this.sent += 1;
    this.model.sent(message);
    this.#socket.send(message as string);
  }

  #received(text: string): void {
    try {
      this.model.received(parseEvent(text));
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error));
    }
    this.#arrived?.();
  }

  /** Ends in one of the ways in which sessions end. */
  async #end(): Promise<void> {
    const roll = this.#next();
    // The client vanishes.
    if (roll < 0.2) return this.#socket.terminate();
    if (roll < 0.5) this.#send('{"request":"stop"}');
    else if (roll < 0.9) this.#send('{"request":"stop","disconnect":true}');
    else {
      await this.#settled();
      this.#send(roll < 0.95 ? "x".repeat(65_537) : new Uint8Array(1_048_577));
    }
    await this.#settled();
    const code = this.model.closeCode === undefined ? undefined : await withTimeout("the close", this.#closed.promise);
    this.model.end(code);
  }

  /** Waits until everything is answered. */
  async #settled(): Promise<void> {
    for (;;) {
      if (this.#fault !== undefined) throw this.#fault;
      if (this.model.settled || this.#socket.readyState === WebSocket.CLOSED) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#arrived = resolve;
      await withTimeout("the answers", promise);
    }
  }
}
