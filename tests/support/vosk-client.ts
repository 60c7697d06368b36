import { waitUntil } from "./wait.ts";

/** A client of vosk-server, which waits for the answer to each message of audio. */
export class VoskClient implements Disposable {
  readonly answers: { readonly partial?: string; readonly text?: string }[] = [];
  closed: number | undefined;
  readonly #socket: WebSocket;

  /** Connects. Rejects when the upgrade is refused. @param token default: none is shown */
  static async connect(port: number, token?: string): Promise<VoskClient> {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const client = new VoskClient(new WebSocket(`ws://127.0.0.1:${port}/`, { headers }));
    await waitUntil("the connection to open or close", () => client.#socket.readyState !== WebSocket.CONNECTING);
    if (client.#socket.readyState !== WebSocket.OPEN) throw new Error("the upgrade was refused");
    client.#socket.send(JSON.stringify({ config: { sample_rate: 16_000 } }));
    return client;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      this.answers.push(JSON.parse(String(data)) as (typeof this.answers)[number]);
    });
    socket.addEventListener("close", ({ code }) => (this.closed = code));
  }

  /** Sends audio, 16 kHz, and waits for its answer. */
  async say(audio: Uint8Array): Promise<void> {
    const { length } = this.answers;
    this.#socket.send(audio);
    await waitUntil("an answer", () => this.answers.length > length);
  }

  stop(): void {
    this.#socket.send('{"eof" : 1}');
  }

  /** Waits for the end of the connection. Returns the results, without partial ones, and its code. */
  async ended(): Promise<string[]> {
    await waitUntil("the end of the connection", () => this.closed !== undefined);
    const texts = this.answers.flatMap(({ text }) => (text === undefined ? [] : [`text: ${text}`]));
    return [...texts, String(this.closed)];
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
