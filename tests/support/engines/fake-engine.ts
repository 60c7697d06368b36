import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

import { decodeRequest, type FakeRequest, inferenceReply, type Reply } from "./fake-inference.ts";

/** What a fake engine does with a request. */
export type Behaviour =
  | Reply
  /** Closes the connection without an answer. */
  | "close"
  /** Sends the head of an answer and half of its body, then closes the connection. */
  | "half"
  /** Does not answer, now or later. */
  | "silence";

export type Script = (request: FakeRequest) => Behaviour | Promise<Behaviour>;

/** An inference server on loopback that does as a test says. By default it measures the audio: see `inferenceReply`. */
export class FakeEngine implements AsyncDisposable {
  /** What it does with inferences. */
  script: Script = inferenceReply;
  /** What it answers to the check of its readiness. */
  ready: Behaviour = { status: 200 };
  /** The answer to requests for the metadata of its model. */
  metadata: Reply = { status: 200, body: `{"name":"m","inputs":[]}` };
  /** Inferences that it has received. */
  readonly requests: FakeRequest[] = [];
  /** Connections that it has accepted. */
  connections = 0;
  /** Inferences that it has received and not answered. */
  underWay = 0;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #isFrozen = false;
  #thaw = Promise.withResolvers<void>();

  static async start(script?: Script): Promise<FakeEngine> {
    const engine = new FakeEngine();
    if (script !== undefined) engine.script = script;
    await engine.listen();
    return engine;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, after `kill` on the same port as before. @param host address */
  async listen(host = "127.0.0.1", port = this.#port): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    server.listen(port, host);
    await once(server, "listening");
    this.#port = (server.address() as { port: number }).port;
  }

  /** Ends as a process does that is killed: all connections are cut, and nothing listens. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    if (server === undefined) return;
    server.close();
    await once(server, "close");
  }

  /** Stops answering until `thaw`, as a process does that is stopped: the kernel still accepts connections. */
  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#thaw.resolve();
    this.#thaw = Promise.withResolvers<void>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    let received = Buffer.alloc(0);
    let busy = Promise.resolve();
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (let size = requestBytes(received); size !== undefined; size = requestBytes(received)) {
        const request = decodeRequest(received.subarray(0, size));
        received = received.subarray(size);
        busy = busy.then(() => this.#serve(socket, request));
      }
    });
  }

  async #serve(socket: Socket, request: FakeRequest): Promise<void> {
    while (this.#isFrozen) await this.#thaw.promise;
    const behaviour = await this.#answer(request);
    if (behaviour === "silence" || socket.destroyed) return;
    if (behaviour === "close") return void socket.destroy();
    const bytes = encodeReply(behaviour === "half" ? await inferenceReply(request) : behaviour);
    if (behaviour === "half") return void socket.end(bytes.subarray(0, bytes.length - 4));
    socket.write(bytes);
    if (behaviour.closes === true) socket.end();
  }

  async #answer(request: FakeRequest): Promise<Behaviour> {
    if (request.path.endsWith("/ready")) return this.ready;
    if (!request.path.endsWith("/infer")) return this.metadata;
    this.requests.push(request);
    this.underWay++;
    try {
      return await this.script(request);
    } finally {
      this.underWay--;
    }
  }
}

/** Returns the length of the first request; undefined: it is not complete. */
function requestBytes(received: Buffer): number | undefined {
  const head = received.indexOf("\r\n\r\n");
  if (head === -1) return undefined;
  const length = Number(/^content-length: *(\d+)/im.exec(received.toString("latin1", 0, head))?.[1] ?? 0);
  const size = head + 4 + length;
  return received.length < size ? undefined : size;
}

function encodeReply({ status, headers = {}, body = "" }: Reply): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length = "transfer-encoding" in headers ? {} : { "content-length": String(bytes.length) };
  const fields = Object.entries({ ...length, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Status\r\n${fields.join("")}\r\n`), bytes]);
}
