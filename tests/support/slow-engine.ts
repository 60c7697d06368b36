import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP server on loopback that holds every request until the test answers it. */
export class SlowEngine implements AsyncDisposable {
  /** Requests that are neither answered nor given up by their client. */
  readonly held = new Set<ServerResponse>();
  /** The most that were held at a time. */
  most = 0;
  /** Requests whose client has disconnected. */
  disconnected = 0;
  /** Answers every request at once with this status; undefined: it holds them. */
  answersWith: number | undefined;
  readonly #server: Server;

  static async start(): Promise<SlowEngine> {
    const engine = new SlowEngine();
    await new Promise<void>((resolve) => engine.#server.listen(0, "127.0.0.1", resolve));
    return engine;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      request.resume();
      if (this.answersWith !== undefined) return void response.writeHead(this.answersWith).end("at once");
      this.held.add(response);
      this.most = Math.max(this.most, this.held.size);
      response.on("close", () => {
        if (this.held.delete(response)) this.disconnected++;
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Answers all requests that are held, the last one first. */
  answer(): void {
    for (const response of [...this.held].toReversed()) {
      this.held.delete(response);
      response.end("late");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
