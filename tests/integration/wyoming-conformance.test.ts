import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { ProcessesServer } from "../support/processes.ts";
import { freePort } from "../support/proxies.ts";
import { CHUNK_FORMAT, eventBytes, WyomingClient } from "../support/wyoming-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

/**
 * What the Wyoming protocol allows and what it does not, by the compiled executable on bare sockets. A `ping` is answered
 * by a `pong` with its text when the connection is in order.
 */

const DATA_BYTES = 8_192;
const PAYLOAD_BYTES = 4_096;
const LIMITS = { "limits.max_text_bytes": DATA_BYTES, "limits.max_message_bytes": PAYLOAD_BYTES };
const LINE_BYTES = 65_536;
/** Longest case that is also sent byte by byte. */
const SHORT = 600;

interface Case {
  readonly bytes: Uint8Array;
  /** What comes back: events with their text, or `error CODE` and the end of the connection. */
  readonly answers: readonly string[];
}

type Cases = Readonly<Record<string, Case>>;

const sent = (...parts: readonly (string | Uint8Array)[]) => ({
  gets: (...answers: readonly string[]): Case => ({
    bytes: Buffer.concat(parts.map((part) => Buffer.from(part))),
    answers,
  }),
});
const eachOf = <Item>(items: readonly Item[], name: (item: Item) => string, make: (item: Item) => Case): Cases =>
  Object.fromEntries(items.map((item) => [name(item), make(item)]));
const line = (fields: object): string => `${JSON.stringify(fields)}\n`;
const PROBE = eventBytes("ping", { text: "probe" });
const IN_ORDER = "pong: probe";

const EVENTS: Cases = {
  "data in the line": sent(line({ type: "ping", data: { text: "a" } })).gets("pong: a"),
  "data behind the line": sent(eventBytes("ping", { text: "b" })).gets("pong: b"),
  "data in both, of which that behind counts": sent(
    line({ type: "ping", data: { text: "a" }, data_length: 12 }),
    '{"text":"b"}',
  ).gets("pong: b"),
  "no data": sent(line({ type: "ping" })).gets("pong"),
  "data that is null, and no lengths": sent(
    line({ type: "ping", data: null, data_length: null, payload_length: null }),
  ).gets("pong"),
  "fields that are not known": sent(line({ type: "ping", version: 7, other: [1], data: { text: "a", x: {} } })).gets(
    "pong: a",
  ),
  "a text that is none": sent(line({ type: "ping", data: { text: 1 } })).gets("pong"),
  "blanks, and a carriage return, around a line": sent('  {"type": "ping"}\r\n').gets("pong"),
  "a payload that nobody asked for": sent(eventBytes("ping", { text: "a" }, Buffer.from("{}\n\n{}"))).gets("pong: a"),
  "the largest data": sent(eventBytes("ping", { text: "x".repeat(DATA_BYTES - 11) })).gets(
    `pong: ${"x".repeat(DATA_BYTES - 11)}`,
  ),
  "the longest line": sent(line({ type: "ping", x: "x".repeat(LINE_BYTES - '{"type":"ping","x":""}'.length) })).gets(
    "pong",
  ),
  "the largest payload": sent(eventBytes("other", {}, new Uint8Array(PAYLOAD_BYTES))).gets(),
  "text beyond ASCII": sent(eventBytes("ping", { text: "κόσμε 👨‍👩‍👧" })).gets("pong: κόσμε 👨‍👩‍👧"),
  "a lone surrogate in an escape": sent('{"type":"ping","data":{"text":"\\ud800"}}\n').gets("pong: \ufffd"),
  "known deviation: bytes that are no UTF-8 are replaced": sent(
    Buffer.from('{"type":"ping","data":{"text":"\xff"}}\n', "latin1"),
  ).gets("pong: \ufffd"),
  "names of the language's own": sent(
    line({ type: "constructor" }),
    '{"type":"__proto__","data":{"__proto__":{"text":"a"}}}\n',
  ).gets(),
  "events that are not known": sent(eventBytes("synthesize", { text: "a" }), eventBytes("")).gets(),
  "several events": sent(line({ type: "ping" }), eventBytes("ping", { text: "2" }), line({ type: "ping" })).gets(
    "pong",
    "pong: 2",
    "pong",
  ),
  "a command without audio": sent(eventBytes("audio-start", CHUNK_FORMAT), eventBytes("audio-stop")).gets(
    "transcript: ",
  ),
  "a stop of nothing": sent(eventBytes("audio-stop")).gets("transcript: "),
  "a chunk without audio, then one of silence": sent(
    eventBytes("audio-chunk", CHUNK_FORMAT),
    eventBytes("audio-chunk", CHUNK_FORMAT, new Uint8Array(4_000)),
    eventBytes("audio-stop"),
  ).gets("transcript: "),
  "a chunk without audio": sent(eventBytes("audio-chunk", CHUNK_FORMAT), eventBytes("audio-stop")).gets("transcript: "),
};

const NO_EVENTS: Cases = {
  ...eachOf(
    ["", "{", "ping", "GET / HTTP/1.1\r", "\ufeff{}", "\0", "{'type':'ping'}", "\x16\x03\x01\x02"],
    (text) => `no JSON: ${JSON.stringify(text)}`,
    (text) => sent(`${text}\n`).gets("error invalid_json"),
  ),
  ...eachOf(
    [
      "null",
      "1",
      '"ping"',
      "[]",
      '[{"type":"ping"}]',
      "{}",
      '{"type":null}',
      '{"type":1}',
      '{"type":"a","data":[]}',
      '{"type":"a","data":"x"}',
    ],
    (text) => `no event: ${text}`,
    (text) => sent(`${text}\n`).gets("error invalid_request"),
  ),
  ...eachOf(
    ["-1", "0.5", "1e999", '"4"', "true", "{}", "9007199254740992"],
    (length) => `a length of ${length}`,
    (length) => sent(`{"type":"a","data_length":${length}}\n`).gets("error invalid_request"),
  ),
  "data that is no JSON": sent('{"type":"a","data_length":2}\nxx').gets("error invalid_json"),
  "data that is no object": sent('{"type":"a","data_length":4}\nnull').gets("error invalid_request"),
  "data that is nested too deeply for a parser": sent(line({ type: "a", data_length: 8_000 }), "[".repeat(8_000)).gets(
    "error invalid_json",
  ),
  "a line that is too long": sent("x".repeat(LINE_BYTES + 1)).gets("error message_too_big"),
  ...eachOf(
    [DATA_BYTES + 1, 2 ** 31, Number.MAX_SAFE_INTEGER],
    (length) => `data of ${length} bytes`,
    (length) => sent(line({ type: "a", data_length: length })).gets("error message_too_big"),
  ),
  ...eachOf(
    [PAYLOAD_BYTES + 1, 2 ** 32, Number.MAX_SAFE_INTEGER],
    (length) => `a payload of ${length} bytes`,
    (length) =>
      sent(line({ type: "audio-chunk", data: CHUNK_FORMAT, payload_length: length })).gets("error message_too_big"),
  ),
  ...eachOf(
    [{ width: 5 }, { width: 0 }, { rate: 0 }, { channels: 1_000 }],
    (wrong) => `a format that is not taken: ${JSON.stringify(wrong)}`,
    (wrong) => sent(eventBytes("audio-start", { ...CHUNK_FORMAT, ...wrong })).gets("error unsupported_format"),
  ),
  ...eachOf(
    [{ rate: "16000" }, { channels: null }],
    (wrong) => `no format: ${JSON.stringify(wrong)}`,
    (wrong) => sent(eventBytes("audio-start", { ...CHUNK_FORMAT, ...wrong })).gets("error invalid_request"),
  ),
  "events before it": sent(line({ type: "ping" }), "{}\n", line({ type: "ping" })).gets(
    "pong",
    "error invalid_request",
  ),
};

describe("the Wyoming protocol", () => {
  let server: ServeProcess;
  let port: number;
  beforeAll(async () => {
    port = await freePort();
    server = await executable.serve({ ...LIMITS, "wyoming.port": port, "limits.max_sessions": 10_000 });
  });

  /** Sends the parts of a case, and a probe, and returns what comes back. */
  async function answersTo(parts: readonly Uint8Array[], ends: boolean): Promise<string[]> {
    using client = await WyomingClient.connect(port);
    for (const part of parts) await client.writeAll(part);
    client.write(PROBE);
    if (ends) await client.event("error");
    client.finish();
    const end = await client.ended();
    const told = client.events.map(({ type, data }) => {
      if (type === "error") return `error ${String(data["code"])}`;
      return typeof data["text"] === "string" ? `${type}: ${data["text"]}` : type;
    });
    return [...told, end];
  }

  /** Returns the cases with other answers than expected. */
  async function deviations(cases: Cases, cut: (bytes: Uint8Array) => readonly Uint8Array[]) {
    const found: Record<string, unknown> = {};
    const queue = Object.entries(cases).values();
    const worker = async (): Promise<void> => {
      for (const [title, { bytes, answers }] of queue) {
        const ends = cases === NO_EVENTS;
        const wanted = [...answers, ...(ends ? [] : [IN_ORDER]), "FIN"];
        const parts = cut(bytes);
        const told = parts.length === 0 ? wanted : await answersTo(parts, ends);
        if (!Bun.deepEquals(told, wanted)) found[title] = told;
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    return found;
  }

  const bytewise = (bytes: Uint8Array): Uint8Array[] =>
    bytes.length > SHORT ? [] : Array.from(bytes, (byte) => Uint8Array.of(byte));

  test("takes events in every form, whole and byte by byte", async () => {
    expect(await deviations(EVENTS, (bytes) => [bytes])).toEqual({});
    expect(await deviations(EVENTS, bytewise)).toEqual({});
  });

  test("ends in good order, with the reason, at what is no event or too large, whole and byte by byte", async () => {
    expect(await deviations(NO_EVENTS, (bytes) => [bytes])).toEqual({});
    expect(await deviations(NO_EVENTS, bytewise)).toEqual({});
  });

  test("survives a flood of connections, of half a line and of bytes one by one", async () => {
    const flood = await Promise.all(Array.from({ length: 300 }, () => WyomingClient.connect(port)));
    for (const [n, client] of flood.entries()) client.write(n % 2 === 0 ? '{"type":' : "x".repeat(LINE_BYTES));
    using client = await WyomingClient.connect(port);
    for (const byte of PROBE) await client.writeAll(Uint8Array.of(byte));
    expect((await client.event("pong")).data["text"]).toBe("probe");
    for (const each of flood) each.reset();
  });

  test("is never logged as a fault of the server", () => {
    expect(server.err.split("\n").filter((record) => record.includes('"level":"error"'))).toEqual([]);
  });
});

test("several processes share the port", async () => {
  const port = await freePort();
  await using server = await ProcessesServer.start(executable, { "wyoming.port": port });
  await server.untilReady();
  const clients = await Promise.all(Array.from({ length: 20 }, () => WyomingClient.connect(port)));
  for (const client of clients) client.write(PROBE);
  for (const client of clients) expect((await client.event("pong")).data["text"]).toBe("probe");
  for (const client of clients) client.finish();
  for (const client of clients) expect(await client.ended()).toBe("FIN");
});
