import { seeded } from "../audio.ts";
import { waitUntil } from "../wait.ts";
import { FOREIGN_LANGUAGES, type ForeignLanguage, type Message } from "./foreign-languages.ts";
import { ForeignMessages } from "./foreign-messages.ts";
import { describeSent } from "./grammar.ts";

/** Bytes that may wait in the client's socket before it sends more. */
const MOST_BUFFERED = 262_144;
/** Messages that were sent last, in the report of a failure. */
const REPORTED = 8;

/** Codes of a close that nothing but a fault of the server, or of its connection, has. */
const FAULTS = [1006, 1011];

/** A connection of a client of another service, which checks every message of the server. */
export class ForeignConnection {
  /** Texts of the server. */
  readonly received: string[] = [];
  /** Code of the server's close. */
  code: number | undefined;
  readonly #language: ForeignLanguage;
  readonly #socket: WebSocket;
  #fault: Error | undefined;

  /** @param name of the dialect @param target path and query */
  static async open(port: number, name: string, target: string): Promise<ForeignConnection> {
    const language = FOREIGN_LANGUAGES[name];
    if (language === undefined) throw new Error(`FOREIGN_LANGUAGES has nothing for ${name}`);
    const connection = new ForeignConnection(new WebSocket(`ws://127.0.0.1:${port}${target}`), language);
    await waitUntil("the connection to open or close", () => connection.#socket.readyState !== WebSocket.CONNECTING);
    return connection;
  }

  private constructor(socket: WebSocket, language: ForeignLanguage) {
    this.#socket = socket;
    this.#language = language;
    socket.addEventListener("message", ({ data }) => {
      try {
        if (typeof data !== "string") throw new Error("a binary message");
        language.check(data);
        // All that a long conversation has is not needed.
        if (this.received.length < 1_000) this.received.push(data);
      } catch (error) {
        this.#fault ??= new Error(`the server sent ${String(data).slice(0, 300)}: ${String(error)}`);
      }
    });
    socket.addEventListener("close", ({ code }) => (this.code = code));
  }

  /** The client has been told that something is wrong, or the connection has ended for it. */
  get refused(): boolean {
    const isError = (text: string): boolean => /^\{[^{]*"(?:type|message)":"error"/i.test(text);
    return this.received.some(isError) || (this.code !== undefined && this.code !== 1000);
  }

  /** Sends a message, when there is room for it. */
  async send(message: Message): Promise<void> {
    while (this.#socket.bufferedAmount > MOST_BUFFERED && this.code === undefined) await Bun.sleep(1);
    if (this.#fault !== undefined) throw this.#fault;
    if (this.code === undefined) this.#socket.send(message as string);
  }

  /** Leaves without a word. */
  vanish(): void {
    this.#socket.terminate();
  }

  /** Leaves, or asks for the end, and waits for it. Throws what has been found. */
  async end(): Promise<void> {
    const { end } = this.#language;
    if (end === undefined) this.#socket.close();
    else await this.send(end);
    await waitUntil("the close", () => this.code !== undefined);
    if (this.#fault !== undefined) throw this.#fault;
    if (FAULTS.includes(this.code ?? 0)) throw new Error(`the connection ended with ${this.code}`);
  }
}

/**
 * Runs one hostile session. Throws an error that has its seed and the last messages.
 * @param name of the dialect @param seed decides everything that the client does
 * @returns the number of messages that were sent
 */
export async function foreignSession(port: number, name: string, seed: number, messages: number): Promise<number> {
  const next = seeded(seed);
  const language = FOREIGN_LANGUAGES[name];
  const target = language?.targets[Math.floor(next() * language.targets.length)];
  if (language === undefined || target === undefined) throw new Error(`FOREIGN_LANGUAGES has nothing for ${name}`);
  const client = new ForeignMessages(next, language);
  const last: Message[] = [];
  let sent = 0;
  try {
    const connection = await ForeignConnection.open(port, name, target);
    while (sent < messages && connection.code === undefined) {
      const message = client.message(sent === 0);
      last.push(message);
      if (last.length > REPORTED) last.shift();
      await connection.send(message);
      sent += 1;
      if (next() < 0.05) await Bun.sleep(0);
    }
    if (next() < 0.3) connection.vanish();
    else await connection.end();
    return sent;
  } catch (error) {
    const report = last.map((message) => `  ${describeSent(message)}`).join("\n");
    const problem = error instanceof Error ? error.message : String(error);
    throw new Error(`${name} with seed ${seed} at ${target}: ${problem}\nlast messages:\n${report}`, { cause: error });
  }
}
