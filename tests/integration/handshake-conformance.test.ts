import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { closeBytes, frameBytes } from "../support/frame-bytes.ts";
import { OPCODE } from "../support/frames.ts";
import { handshake, RawConnection } from "../support/raw-connection.ts";
import { STOP } from "../support/requests.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

/** Conformance of handshakes to RFC 6455, section 4, by the compiled executable on bare sockets. */

const STOP_FRAME = frameBytes(OPCODE.text, STOP);
type Fields = Parameters<typeof handshake>[1];

describe.each(TRANSPORTS)("a handshake over $name", ({ connect, settings }) => {
  let server: ServeProcess;
  beforeAll(async () => {
    server = await executable.serve({ "limits.max_sessions": 10_000, ...(await settings()) });
  });

  /** Returns the status of the response to these bytes, and whether the connection works as a WebSocket or is closed. */
  async function outcome(...parts: readonly (Uint8Array | string)[]): Promise<string> {
    return await outcomeOf(parts, false);
  }

  /** @param isFollowed a stop follows the handshake at once */
  async function outcomeOf(parts: readonly (Uint8Array | string)[], isFollowed: boolean): Promise<string> {
    using connection = await RawConnection.open(server.port, connect);
    await connection.writeApart(parts);
    const isHead = String(parts[0]).startsWith("HEAD");
    const response = await connection.response(!isHead);
    if (typeof response === "string") return response;
    if (response.status !== 101) return `${response.status} ${await closed(connection)}`;
    // What is asked right before a close may stay without an answer.
    connection.write(STOP_FRAME);
    let left = isFollowed ? 2 : 1;
    const frames = await connection.framesUntil((frame) => !frame.startsWith("error") || --left === 0);
    connection.write(closeBytes(1000));
    if (frames.at(-1)?.startsWith("error") === true) frames.push(...(await connection.framesUntil(() => false)));
    return `101 ${frames.join(", ")}`;
  }

  /** Asks for something on a connection that should be over. */
  async function closed(connection: RawConnection): Promise<string> {
    connection.write(`GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const response = await connection.response();
    return typeof response === "string" ? "closed" : `then ${response.status}`;
  }

  const OPEN = "101 error no_stream, close 1000, FIN";
  async function expectOutcomes(cases: Readonly<Record<string, Fields | string>>, wanted: string): Promise<void> {
    const found = await Promise.all(
      Object.entries(cases).map(async ([title, fields]) => {
        const request = typeof fields === "string" ? fields : handshake(server.port, fields);
        return [title, await outcome(request)];
      }),
    );
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(Object.keys(cases).map((title) => [title, wanted])));
  }
  const line = (request: string): string => handshake(server.port, {}, request);
  const lines = (count: number): Fields => Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-${i}`, "y"]));

  test("may have its headers in any case, order, number and spacing that HTTP allows", async () => {
    await expectOutcomes(
      {
        plain: {},
        "other case": { Connection: undefined, connection: "uPGRADE", Upgrade: undefined, upgrade: "WebSocket" },
        "a list of connection options": { Connection: "keep-alive , Upgrade" },
        "two Connection headers": { Connection: ["keep-alive", "Upgrade"] },
        "several protocols to upgrade to": { Upgrade: "h2c, websocket" },
        "spaces and tabs around values": {
          "Sec-WebSocket-Key": "  \t dGhlIHNhbXBsZSBub25jZQ== \t ",
          "Sec-WebSocket-Version": "\t13 ",
        },
        "an empty header": { "X-Empty": "" },
        "bytes beyond ASCII in a header": { X: "\xff\xfe\x80" },
        "100 more headers": lines(100),
        "8 KiB in a header": { X: "y".repeat(8_192) },
        "8 KiB in the query": line(`GET /api/v1/segmented?${"y".repeat(8_192)} HTTP/1.1`),
        "a body of no bytes": { "Content-Length": "0" },
        "an Origin": { Origin: `http://127.0.0.1:${server.port}` },
      },
      OPEN,
    );
  });

  test("may be cut at every byte, also with frames right behind it", async () => {
    const all = Buffer.concat([Buffer.from(handshake(server.port)), STOP_FRAME]);
    const cuts = Array.from({ length: all.length - 1 }, (_, i) => [all.subarray(0, i + 1), all.subarray(i + 1)]);
    const wanted = "101 error no_stream, error no_stream, close 1000, FIN";
    const queue = [...cuts, [...all].map((byte) => Buffer.from([byte]))].values();
    const found = new Set<string>();
    const worker = async (): Promise<void> => {
      for (const parts of queue) found.add(await outcomeOf(parts, true));
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    expect([...found]).toEqual([wanted]);
  });

  test("that is not one, or has no valid key, is refused with 400, and the connection closed", async () => {
    const key = (value: string | readonly string[] | undefined): Fields => ({ "Sec-WebSocket-Key": value });
    await expectOutcomes(
      {
        "no key": key(undefined),
        "an empty key": key(""),
        "a key of 15 bytes": key(Buffer.alloc(15).toString("base64")),
        "a key of 17 bytes": key(Buffer.alloc(17).toString("base64")),
        "24 characters without padding": key("A".repeat(24)),
        "no base64": key("!!!!!!!!!!!!!!!!!!!!!!=="),
        "two keys": key(["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="]),
        "a key of 5 KB": key("A".repeat(5_000)),
        "a body": `${handshake(server.port, { "Content-Length": "5" })}hello`,
        "a chunked body": `${handshake(server.port, { "Transfer-Encoding": "chunked" })}5\r\nhello\r\n0\r\n\r\n`,
        "a subprotocol of others": { "Sec-WebSocket-Protocol": "chat" },
        "a list of no subprotocols": { "Sec-WebSocket-Protocol": ",," },
        "no Host": { Host: undefined },
        "a folded header": { X: "a\r\n b" },
        "NUL in a header": { X: "a\0b" },
        "a carriage return in a header": { X: "a\rb" },
        "a header without a name": { "": "a" },
        "a line without a colon": handshake(server.port).replace("\r\n\r\n", "\r\nabc\r\n\r\n"),
        "a space before the colon": { "X ": "a" },
        "empty lines before it": `\r\n\r\n${handshake(server.port)}`,
        "TLS, or other bytes": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".padEnd(64, "\0"),
        "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      },
      "400 closed",
    );
  });

  test("without the upgrade, with another version, or by another method, is refused with 426, and the connection closed", async () => {
    const version = (value: string | readonly string[] | undefined): Fields => ({ "Sec-WebSocket-Version": value });
    await expectOutcomes(
      {
        "no Connection": { Connection: undefined },
        "another Connection": { Connection: "keep-alive" },
        "no Upgrade": { Upgrade: undefined },
        "another Upgrade": { Upgrade: "h2c" },
        "no version": version(undefined),
        HEAD: line("HEAD /api/v1/segmented HTTP/1.1"),
        ...Object.fromEntries(
          ["", "0", "7", "8", "12", "14", "013", "13.0", "13, 8", "-1", "255", "x"].map((value) => [
            `version ${value}`,
            version(value),
          ]),
        ),
        "the version twice": version(["13", "13"]),
      },
      "426 closed",
    );
  });

  test("that no server could read is refused by its status: other versions of HTTP 505, too many or too large headers 431", async () => {
    await expectOutcomes(
      Object.fromEntries(
        ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/1", "HTTX/1.1", ""].map((version) => [
          version,
          line(`GET /api/v1/segmented ${version}`),
        ]),
      ),
      "505 closed",
    );
    await expectOutcomes(
      {
        "1,000 headers": lines(1_000),
        "64 KiB in a header": { X: "y".repeat(65_536) },
        "64 KiB in the target": line(`GET /${"y".repeat(65_536)} HTTP/1.1`),
      },
      "431 closed",
    );
  });

  test("gets no extension, whatever it offers, and then none may be used", async () => {
    for (const offer of [
      "permessage-deflate",
      "permessage-deflate; client_max_window_bits, permessage-deflate; server_no_context_takeover",
      "x-webkit-deflate-frame",
      ";;;,,,==",
      `${"a, ".repeat(1_300)}b`,
    ]) {
      using connection = await RawConnection.open(server.port, connect);
      connection.write(handshake(server.port, { "Sec-WebSocket-Extensions": offer }));
      expect((await connection.upgrade()).headers.get("sec-websocket-extensions")).toBeNull();
      connection.write(frameBytes(OPCODE.text, STOP, { reserved: 4 }));
      expect(await connection.framesUntil(() => false)).toEqual(["close 1002", "FIN"]);
    }
  });

  test("gets the subprotocol streamer.v1 if that is among those offered, in any spacing and number", async () => {
    for (const [offer, chosen] of [
      ["streamer.v1", "streamer.v1"],
      [" a,streamer.v1 ,b", "streamer.v1"],
      ["streamer.v1,streamer.v1", "streamer.v1"],
      [["a", "streamer.v1"], "streamer.v1"],
      [`${Array.from({ length: 1_000 }, (_, i) => `p${i}`).join(",")},streamer.v1`, "streamer.v1"],
      [undefined, null],
    ] as const) {
      using connection = await RawConnection.open(server.port, connect);
      connection.write(handshake(server.port, { "Sec-WebSocket-Protocol": offer }));
      expect((await connection.upgrade()).headers.get("sec-websocket-protocol")).toBe(chosen);
    }
  });

  test("known deviation: HTTP/1.0 with a Host header is upgraded, since Bun does not pass on the version", async () => {
    expect(await outcome(line("GET /api/v1/segmented HTTP/1.0"))).toBe(OPEN);
  });

  test("may be followed by nothing but frames, and by nothing at all", async () => {
    const pipelined = `${handshake(server.port)}GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    {
      using connection = await RawConnection.open(server.port, connect);
      connection.write(pipelined);
      await connection.upgrade();
      expect(await connection.framesUntil(() => false)).toEqual(["close 1002", "FIN"]);
    }
    using connection = await RawConnection.open(server.port, connect);
    connection.write(handshake(server.port));
    connection.finish();
    await connection.upgrade();
    expect(await connection.framesUntil(() => false)).toEqual(["FIN"]);
  });

  test("may follow requests on the same connection, and half of one ends with the connection", async () => {
    using connection = await RawConnection.open(server.port, connect);
    connection.write(`GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n${handshake(server.port)}`);
    expect(await connection.response()).toMatchObject({ status: 200 });
    await connection.upgrade();
    using half = await RawConnection.open(server.port, connect);
    half.write(handshake(server.port).slice(0, -2));
    half.finish();
    expect(await half.ended()).toBe("FIN");
  });

  test("is never logged as a fault of the server", () => {
    expect(server.err.split("\n").filter((record) => record.includes('"level":"error"'))).toEqual([]);
  });
});
