import { afterEach, describe, expect, test } from "bun:test";

import { ConnectionError } from "../../src/client/errors.ts";
import { FrameSocket, UpgradeRefused } from "../../src/client/frame-socket.ts";
import { clientFrame, OPCODE } from "../../src/client/websocket-frames.ts";
import { waitUntil } from "../support/wait.ts";

const LIMIT_MS = 300_000;
const disposables: (() => unknown)[] = [];

afterEach(() => {
  for (const dispose of disposables.splice(0)) dispose();
});

type Handler = Partial<Bun.WebSocketHandler<undefined>>;

/** A server whose socket does what the test wants. */
function serve(handler: Handler, refuse?: () => Response): URL {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, own) => (refuse === undefined && own.upgrade(request) ? undefined : refuse?.()),
    websocket: { message: () => undefined, ...handler },
  });
  disposables.push(() => server.stop(true));
  return new URL(`ws://127.0.0.1:${server.port}/`);
}

interface Log {
  readonly texts: string[];
  readonly binaries: number[];
  writable: number;
  closed: [number, string] | undefined;
}

async function connect(url: URL): Promise<{ socket: FrameSocket; log: Log }> {
  const log: Log = { texts: [], binaries: [], writable: 0, closed: undefined };
  const socket = await FrameSocket.connect(
    url,
    {
      message: (isText, payload) => {
        if (isText) log.texts.push(new TextDecoder().decode(payload));
        else log.binaries.push(payload.length);
      },
      writable: () => (log.writable += 1),
      closed: (code, reason) => (log.closed = [code, reason]),
    },
    LIMIT_MS,
  );
  disposables.push(() => socket.terminate());
  return { socket, log };
}

const text = (content: string): Uint8Array => clientFrame(OPCODE.text, new TextEncoder().encode(content));

describe("a connection", () => {
  test("exchanges messages with Bun's server, and answers its ping", async () => {
    let pongs = 0;
    const url = serve({
      open: (ws) => void ws.ping("p"),
      pong: () => void (pongs += 1),
      message: (ws, message) => void ws.send(message),
    });
    const { socket, log } = await connect(url);
    socket.write(text("hello"));
    socket.write(clientFrame(OPCODE.binary, new Uint8Array(70_000)));
    await waitUntil("both echoes and the pong", () => log.texts.length + log.binaries.length + pongs === 3);
    expect(log).toMatchObject({ texts: ["hello"], binaries: [70_000] });
  });

  test("sends every byte of a frame that the kernel takes in parts, and reports when it has left", async () => {
    let received = 0;
    const url = serve({
      maxPayloadLength: 64 * 1024 * 1024,
      message: (_, message) => void (received += message.length),
    });
    const { socket, log } = await connect(url);
    const frame = clientFrame(OPCODE.binary, new Uint8Array(32 * 1024 * 1024));
    socket.write(frame);
    expect(socket.writable).toBeFalse();
    await waitUntil("the message", () => received === 32 * 1024 * 1024);
    await waitUntil("the report", () => log.writable === 1);
    expect(socket.writable).toBeTrue();
  });

  test("reports the server's close code and reason", async () => {
    const { log } = await connect(serve({ open: (ws) => ws.close(1001, "draining") }));
    await waitUntil("the close", () => log.closed !== undefined);
    expect(log.closed).toEqual([1001, "draining"]);
  });

  test("is closed with the client's code", async () => {
    let code = 0;
    const { socket, log } = await connect(serve({ close: (_, closeCode) => void (code = closeCode) }));
    socket.close(1000);
    await waitUntil("the close", () => log.closed !== undefined && code !== 0);
    expect(code).toBe(1000);
  });

  test("that is cut ends with code 1006", async () => {
    const { log } = await connect(serve({ open: (ws) => ws.terminate() }));
    await waitUntil("the close", () => log.closed !== undefined);
    expect(log.closed).toEqual([1006, ""]);
  });
});

describe("a connection is refused", () => {
  async function refusal(url: URL, limitMs = LIMIT_MS): Promise<unknown> {
    const events = { message: () => undefined, writable: () => undefined, closed: () => undefined };
    return await FrameSocket.connect(url, events, limitMs).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  test("by a status, with its body and the time to wait", async () => {
    const headers = { "retry-after": "7" };
    const url = serve({}, () => Response.json({ code: "overloaded" }, { status: 503, headers }));
    const error = await refusal(url);
    expect(error).toBeInstanceOf(UpgradeRefused);
    expect(error).toMatchObject({ status: 503, body: '{"code":"overloaded"}', retryAfter: 7 });
  });

  test("when nothing listens", async () => {
    expect(await refusal(new URL("ws://127.0.0.1:9/"))).toBeInstanceOf(ConnectionError);
  });

  function listen(onData: (socket: Bun.Socket) => void): URL {
    const listener = Bun.listen({
      port: 0,
      hostname: "127.0.0.1",
      socket: { data: onData },
    });
    disposables.push(() => listener.stop(true));
    return new URL(`ws://127.0.0.1:${listener.port}/`);
  }

  test.each([
    ["does not speak HTTP", (socket: Bun.Socket) => void socket.write("SSH-2.0-OpenSSH\r\n\r\n")],
    ["does not speak WebSocket", (socket: Bun.Socket) => void socket.write("HTTP/1.1 101 Fine\r\n\r\n")],
    ["was closed before", (socket: Bun.Socket) => void socket.end()],
  ])("by a server that says nothing useful: %s", async (words, answer) => {
    const error = await refusal(listen(answer));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toContain(words);
  });

  test("by a server that is silent, after the time limit", async () => {
    expect(
      String(
        await refusal(
          listen(() => undefined),
          50,
        ),
      ),
    ).toContain("no answer within 0.05 s");
  });
});
