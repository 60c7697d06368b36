import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { connect } from "../../src/client/client.ts";
import { ConnectionError } from "../../src/client/errors.ts";
import { FrameSocket } from "../../src/client/frame-socket.ts";
import type { ClientTls } from "../../src/client/tls.ts";
import { describeConnectionError, requestDirectly } from "../../src/commands/terminal/direct-request.ts";
import { Authority, credentialsOf, type Issued } from "../support/certificates.ts";
import { InProcessServer } from "../support/in-process-server.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const LIMIT_MS = 300_000;
const [authority, clients, other] = [await Authority.create(), await Authority.create(), await Authority.create()];
const [served, client, stranger] = await Promise.all([
  authority.issue(),
  clients.issue({ client: true }),
  other.issue({ client: true }),
]);
const trusted: ClientTls = { ca: authority.cert };

const servers: InProcessServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

async function serve(issued: Issued | undefined, clientCa?: string): Promise<number> {
  const options = issued === undefined ? {} : { tls: credentialsOf(issued, clientCa) };
  const server = await InProcessServer.start({}, options);
  servers.push(server);
  return server.port;
}

/** An expired certificate, which no server of ours would take, served by one that does. */
async function serveExpired(): Promise<number> {
  const { cert, key } = await authority.issue({ from: new Date(0), to: new Date(1_000_000_000_000) });
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: { cert, key }, fetch: () => new Response("") });
  afterAll(() => server.stop(true));
  return server.port ?? 0;
}

const url = (port: number, scheme = "wss", host = "127.0.0.1"): URL => {
  return new URL(`${scheme}://${host}:${port}/api/v1/segmented`);
};

/** Connects in the three ways that there are. Returns what each says of the failure; "open" without one. */
async function outcomes(to: URL, tls: ClientTls): Promise<Record<"library" | "frames" | "request", string>> {
  const library = async (): Promise<string> => {
    using opened = await connect(
      to,
      { format: { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false } },
      { tls },
    );
    return (await opened.started()) ? "open" : "";
  };
  const frames = async (): Promise<string> => {
    const events = { message: () => undefined, writable: () => undefined, closed: () => undefined };
    (await FrameSocket.connect(to, events, LIMIT_MS, { tls })).terminate();
    return "open";
  };
  const request = async (): Promise<string> => {
    const page = new URL("/api/v1/health", to);
    page.protocol = to.protocol === "wss:" ? "https:" : "http:";
    try {
      return (await requestDirectly(page, { timeoutMs: LIMIT_MS, tls })).status === 200 ? "open" : "not 200";
    } catch (error) {
      return await describeConnectionError(page, error);
    }
  };
  const explained = (error: unknown): string => {
    if (!(error instanceof ConnectionError)) throw error;
    expect(error.code).toBe("cannot_connect");
    return error.message.replace(`cannot connect to ${to.href}: `, "");
  };
  return {
    library: await library().catch(explained),
    frames: await frames().catch(explained),
    request: await request(),
  };
}

const OPEN = { library: "open", frames: "open", request: "open" };

describe("a client with wss", () => {
  test("connects to a server whose authority it trusts, by name and by address", async () => {
    const port = await serve(served);
    expect(await outcomes(url(port), trusted)).toEqual(OPEN);
    expect(await outcomes(url(port, "wss", "localhost"), trusted)).toEqual(OPEN);
  });

  test("refuses an unknown authority, unless it does not check the certificate", async () => {
    const port = await serve(served);
    const message = "the certificate of the server is not of an authority that is trusted";
    for (const tls of [{}, { ca: other.cert }]) {
      expect(await outcomes(url(port), tls)).toEqual({
        library: message,
        frames: message,
        request: `${message}; --ca FILE trusts its authority`,
      });
    }
    expect(await outcomes(url(port), { insecure: true })).toEqual(OPEN);
  });

  test("refuses a certificate for another name, and says for which it is", async () => {
    const port = await serve(await authority.issue({ names: ["speech.example", "192.0.2.7"] }));
    const { library, frames, request } = await outcomes(url(port, "wss", "localhost"), trusted);
    expect(library).toBe("the certificate of the server is for another name");
    for (const message of [frames, request]) {
      expect(message).toBe(
        "the certificate of the server is for another name: DNS:speech.example, IP Address:192.0.2.7",
      );
    }
  });

  test("refuses an expired certificate", async () => {
    const message = "the certificate of the server has expired";
    expect(await outcomes(url(await serveExpired()), trusted)).toEqual({
      library: message,
      frames: message,
      request: message,
    });
  });

  test("says that the server does not speak TLS", async () => {
    const { library, frames, request } = await outcomes(url(await serve(undefined)), trusted);
    expect(library).toBe("the server there does not speak TLS");
    expect(frames).toBe("the server there does not speak TLS");
    expect(request).toBe("the server there does not speak TLS; use http:// or ws://");
  });

  test("shows its certificate to a server that requires one, and is refused without", async () => {
    const port = await serve(served, clients.cert);
    expect(await outcomes(url(port), { ...trusted, ...client })).toEqual(OPEN);
    const message = "the server requires a certificate of the client";
    expect(await outcomes(url(port), trusted)).toEqual({
      library: message,
      frames: message,
      request: `${message}; give it with --cert and --key`,
    });
    expect((await outcomes(url(port), { ...trusted, ...stranger })).request).toBe(
      "the server closed the connection: it may not accept the certificate of this client",
    );
  });
});

test("a client without TLS learns that the server speaks it", async () => {
  const { library, request } = await outcomes(url(await serve(served), "ws"), {});
  expect(library).not.toBe("open");
  expect(request).toBe("the server there speaks TLS; use https:// or wss://");
});
