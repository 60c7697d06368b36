import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { closeBytes, fragmentBytes, frameBytes } from "../support/frame-bytes.ts";
import { OPCODE } from "../support/frames.ts";
import { prove } from "../support/proof.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { STOP } from "../support/requests.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

/**
 * Conformance to RFC 6455, in the sections of the Autobahn test suite, by the compiled executable on bare sockets. There
 * is no echo: a text that is no JSON is answered by `invalid_json`, an unknown request by an error that quotes it.
 */

const { text, binary, more, ping, pong, close } = OPCODE;
/** Answered by exactly one frame, `error no_stream`, when the connection is in order. */
const STOP_FRAME = frameBytes(text, STOP);
const IN_ORDER = "error no_stream";
/** Longest case that is also sent byte by byte. */
const SHORT = 700;

interface Case {
  readonly writes: readonly Uint8Array[];
  /** What comes back; after a close, the end of the connection in good order. */
  readonly answers: readonly string[];
}

type Cases = Readonly<Record<string, Case>>;

const sent = (...writes: readonly Uint8Array[]) => ({
  gets: (...answers: readonly string[]): Case => ({ writes, answers }),
});
const eachOf = <Item>(items: readonly Item[], name: (item: Item) => string, make: (item: Item) => Case): Cases =>
  Object.fromEntries(items.map((item) => [name(item), make(item)]));
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const LIMIT_BYTES = 4_096;
const LIMITS = { "limits.max_message_bytes": LIMIT_BYTES, "limits.max_text_bytes": 65_536 };
/** Bun closes the connection itself beyond it. */
const TRANSPORT_BYTES = 2 * 65_536;

const FRAMING: Cases = {
  ...eachOf(
    [0, 1, 125, 126, 127, 128, 4_095, 65_535, 65_536],
    (n) => `a text of ${n} bytes`,
    (n) => sent(frameBytes(text, Buffer.alloc(n, "x"))).gets("error invalid_json"),
  ),
  ...eachOf(
    [0, 1, 125, 126, 127, 128, LIMIT_BYTES],
    (n) => `a binary message of ${n} bytes`,
    (n) => sent(frameBytes(binary, Buffer.alloc(n))).gets("error audio_before_start"),
  ),
  ...eachOf(
    [LIMIT_BYTES + 1, 65_535, 65_536, TRANSPORT_BYTES],
    (n) => `too large a binary message, ${n} bytes`,
    (n) => sent(frameBytes(binary, Buffer.alloc(n))).gets("error message_too_big", "close 1009"),
  ),
  ...eachOf(
    [65_537, TRANSPORT_BYTES],
    (n) => `too large a text, ${n} bytes`,
    (n) => sent(frameBytes(text, Buffer.alloc(n, "x"))).gets("error message_too_big", "close 1009"),
  ),
  ...eachOf(
    [text, binary],
    (opcode) => `beyond the limit of the transport, opcode ${opcode}`,
    (opcode) => sent(frameBytes(opcode, Buffer.alloc(TRANSPORT_BYTES + 1))).gets("close 1009"),
  ),
  "fragments that are too large together": sent(
    ...fragmentBytes(
      binary,
      Array.from({ length: 4 }, () => Buffer.alloc(TRANSPORT_BYTES / 3)),
    ),
  ).gets("close 1009"),
  ...eachOf(
    [1n << 63n, (1n << 64n) - 1n, (1n << 63n) - 1n, (1n << 32n) + BigInt(STOP.length), 1n << 31n],
    (length) => `a head that announces ${length} bytes`,
    (length) => sent(frameBytes(text, STOP, { length, lengthBytes: 8 })).gets("close 1009"),
  ),
  ...eachOf(
    range(1, 7),
    (bits) => `reserved bits ${bits} in a text`,
    (reserved) => sent(frameBytes(text, STOP, { reserved })).gets("close 1002"),
  ),
  ...eachOf(
    range(1, 7),
    (bits) => `reserved bits ${bits} in a ping`,
    (reserved) => sent(frameBytes(ping, "p", { reserved })).gets("close 1002"),
  ),
  "reserved bits in a later fragment": sent(
    frameBytes(text, STOP.slice(0, 4), { final: false }),
    frameBytes(more, STOP.slice(4), { reserved: 4 }),
  ).gets("close 1002"),
  ...eachOf(
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15],
    (opcode) => `opcode ${opcode}`,
    (opcode) => sent(frameBytes(opcode, STOP)).gets("close 1002"),
  ),
  ...eachOf(
    [3, 11],
    (opcode) => `opcode ${opcode} without a payload`,
    (opcode) => sent(frameBytes(opcode)).gets("close 1002"),
  ),
  ...eachOf(
    [text, binary, ping, pong, close],
    (opcode) => `no mask, opcode ${opcode}`,
    (opcode) => sent(frameBytes(opcode, opcode === close ? "" : STOP, { masked: false })).gets("close 1002"),
  ),
  "a valid message, then an invalid frame": sent(STOP_FRAME, frameBytes(3)).gets(IN_ORDER, "close 1002"),
  "an invalid frame, then a valid message": sent(frameBytes(3), STOP_FRAME).gets("close 1002"),
  "several messages": sent(STOP_FRAME, STOP_FRAME, STOP_FRAME).gets(IN_ORDER, IN_ORDER, IN_ORDER),
};

/** RFC 6455, 5.2, asks for the shortest form; Bun 1.4.5 takes others, as most implementations do. */
const LONG_FORMS: Cases = {
  ...eachOf(
    [2, 8] as const,
    (n) => `a short length in ${n} bytes`,
    (lengthBytes) => sent(frameBytes(text, STOP, { lengthBytes })).gets(IN_ORDER),
  ),
  "a length of two bytes in 8": sent(frameBytes(text, Buffer.alloc(200, "x"), { lengthBytes: 8 })).gets(
    "error invalid_json",
  ),
};

const CONTROL: Cases = {
  ...eachOf(
    [0, 1, 124, 125],
    (n) => `a ping of ${n} bytes`,
    (n) => sent(frameBytes(ping, Buffer.alloc(n, "p"))).gets(`pong ${"p".repeat(n)}`),
  ),
  "a ping of bytes that are no text": sent(frameBytes(ping, Buffer.from([0, 255, 254, 128]))).gets(
    `pong ${Buffer.from([0, 255, 254, 128]).toString("latin1")}`,
  ),
  ...eachOf(
    [ping, pong, close],
    (opcode) => `126 bytes with opcode ${opcode}`,
    (opcode) => sent(frameBytes(opcode, Buffer.alloc(126, 3))).gets("close 1002"),
  ),
  ...eachOf(
    [ping, pong, close],
    (opcode) => `a long form of the length with opcode ${opcode}`,
    (opcode) => sent(frameBytes(opcode, Buffer.from([3, 232]), { lengthBytes: 2 })).gets("close 1002"),
  ),
  ...eachOf(
    [ping, pong, close],
    (opcode) => `a fragment with opcode ${opcode}`,
    (opcode) => sent(frameBytes(opcode, "", { final: false })).gets("close 1002"),
  ),
  ...eachOf(
    [0, 125],
    (n) => `a pong of ${n} bytes that nobody asked for`,
    (n) => sent(frameBytes(pong, Buffer.alloc(n))).gets(),
  ),
  "a pong, then a ping": sent(frameBytes(pong, "a"), frameBytes(ping, "b")).gets("pong b"),
  "ten pings": sent(...range(0, 9).map((i) => frameBytes(ping, String(i)))).gets(
    ...range(0, 9).map((i) => `pong ${i}`),
  ),
};

const [begin, rest] = [STOP.slice(0, 5), STOP.slice(5)];
const FRAGMENTATION: Cases = {
  "two fragments": sent(...fragmentBytes(text, [begin, rest])).gets(IN_ORDER),
  "a fragment for each byte": sent(...fragmentBytes(text, [...STOP])).gets(IN_ORDER),
  "empty fragments": sent(...fragmentBytes(text, ["", "", STOP, "", ""])).gets(IN_ORDER),
  "nothing but empty fragments": sent(...fragmentBytes(text, ["", "", ""])).gets("error invalid_json"),
  "a ping between fragments": sent(
    frameBytes(text, begin, { final: false }),
    frameBytes(ping, "between"),
    frameBytes(more, rest),
  ).gets("pong between", IN_ORDER),
  "a ping between each two fragments": sent(
    ...fragmentBytes(text, [...STOP]).flatMap((frame, i) => (i === 0 ? [frame] : [frameBytes(ping, String(i)), frame])),
  ).gets(...range(1, STOP.length - 1).map((i) => `pong ${i}`), IN_ORDER),
  "a pong between fragments": sent(
    frameBytes(text, begin, { final: false }),
    frameBytes(pong, "between"),
    frameBytes(more, rest),
  ).gets(IN_ORDER),
  "a close between fragments": sent(frameBytes(text, begin, { final: false }), closeBytes(1000)).gets("close 1000"),
  "a continuation of nothing": sent(frameBytes(more, STOP)).gets("close 1002"),
  "a continuation of nothing that goes on": sent(frameBytes(more, STOP, { final: false })).gets("close 1002"),
  "a continuation of a message that is over": sent(STOP_FRAME, frameBytes(more, "x")).gets(IN_ORDER, "close 1002"),
  "a continuation after fragments": sent(...fragmentBytes(text, [begin, rest]), frameBytes(more, "x")).gets(
    IN_ORDER,
    "close 1002",
  ),
  ...eachOf(
    [text, binary],
    (opcode) => `a message with opcode ${opcode} inside another`,
    (opcode) => sent(frameBytes(text, begin, { final: false }), frameBytes(opcode, STOP)).gets("close 1002"),
  ),
  ...eachOf(
    [text, binary],
    (opcode) => `fragments with opcode ${opcode} inside others`,
    (opcode) =>
      sent(frameBytes(binary, begin, { final: false }), frameBytes(opcode, STOP, { final: false })).gets("close 1002"),
  ),
};

const utf8 = (...codes: readonly number[]): Uint8Array => Buffer.from(codes);
const VALID_UTF8 = [
  ..."κόσμε ￿ � ퟿  􏿿 🿿 𐀀 ࠀ \u0080 \u007f 👨‍👩‍👧 é".split(" ").map((one) => Buffer.from(one)),
  Buffer.from("\ufeff"),
];
const INVALID_UTF8 = [
  [0x80],
  [0xbf],
  [0x80, 0xbf],
  [0xc0],
  [0xc0, 0xaf],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xe0, 0x80, 0xaf],
  [0xe0, 0x9f, 0xbf],
  [0xf0, 0x80, 0x80, 0xaf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xed, 0xa0, 0x80],
  [0xed, 0xbf, 0xbf],
  [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0xf8, 0x88, 0x80, 0x80, 0x80],
  [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
  [0xfe],
  [0xff],
  [0xce],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
  [0xc3, 0x28],
].map((codes) => utf8(...codes));
/** A request whose name is this text. */
const named = (name: Uint8Array): Buffer => Buffer.concat([Buffer.from('{"request":"'), name, Buffer.from('"}')]);
const asBytes = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => utf8(byte));

const UTF8: Cases = {
  ...eachOf(
    VALID_UTF8,
    (name) => `valid: ${hex(name)}`,
    (name) => sent(frameBytes(text, named(name))).gets("error unknown_request"),
  ),
  ...eachOf(
    VALID_UTF8,
    (name) => `valid, a fragment for each byte: ${hex(name)}`,
    (name) => sent(...fragmentBytes(text, asBytes(named(name)))).gets("error unknown_request"),
  ),
  ...eachOf(
    INVALID_UTF8,
    (name) => `invalid: ${hex(name)}`,
    (name) => sent(frameBytes(text, named(name))).gets("close 1007"),
  ),
  ...eachOf(
    INVALID_UTF8,
    (name) => `invalid at the end: ${hex(name)}`,
    (name) => sent(frameBytes(text, name)).gets("close 1007"),
  ),
  ...eachOf(
    INVALID_UTF8,
    (name) => `invalid, a fragment for each byte: ${hex(name)}`,
    (name) => sent(...fragmentBytes(text, asBytes(named(name)))).gets("close 1007"),
  ),
  // Bun 1.4.5 looks when the message is complete, not before.
  "invalid in the first fragment": sent(
    frameBytes(text, utf8(0xff), { final: false }),
    frameBytes(ping, "still here"),
    frameBytes(more, "x"),
  ).gets("pong still here", "close 1007"),
  "no text at all": sent(frameBytes(binary, utf8(0xff, 0xfe, 0x80))).gets("error audio_before_start"),
  "a lone surrogate in an escape of JSON": sent(frameBytes(text, '{"request":"\\ud800"}')).gets(
    "error unknown_request",
  ),
};

const CLOSE: Cases = {
  ...eachOf(
    [...range(1000, 1003), ...range(1007, 1014), 3000, 3999, 4000, 4999],
    (code) => `code ${code}`,
    (code) => sent(closeBytes(code)).gets(`close ${code}`),
  ),
  ...eachOf(
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 2000, 2999, 5000, 65_535],
    (code) => `a code that may not be sent: ${code}`,
    (code) => sent(closeBytes(code)).gets("close 1002"),
  ),
  "no code": sent(frameBytes(close)).gets("close"),
  "half a code": sent(frameBytes(close, utf8(3))).gets("close 1002"),
  ...eachOf(
    [1, 122, 123],
    (n) => `a reason of ${n} bytes`,
    (n) => sent(closeBytes(1000, Buffer.alloc(n, "r"))).gets("close 1000"),
  ),
  "a reason of 124 bytes": sent(closeBytes(1000, Buffer.alloc(124, "r"))).gets("close 1002"),
  "a reason beyond ASCII": sent(closeBytes(1000, "κόσμε")).gets("close 1000"),
  ...eachOf(
    INVALID_UTF8,
    (reason) => `an invalid reason: ${hex(reason)}`,
    (reason) => sent(closeBytes(1000, reason)).gets("close 1007"),
  ),
  "a message before it": sent(STOP_FRAME, closeBytes(1000)).gets(IN_ORDER, "close 1000"),
  "messages, pings and a second close after it": sent(
    closeBytes(1000),
    STOP_FRAME,
    frameBytes(ping),
    closeBytes(1001),
    frameBytes(3),
  ).gets("close 1000"),
};

const SECTIONS = { FRAMING, CONTROL, FRAGMENTATION, UTF8, CLOSE } as const;

describe.each(TRANSPORTS)("over $name", ({ name: transport, connect, settings }) => {
  let server: ServeProcess;
  beforeAll(async () => {
    server = await executable.serve({ ...LIMITS, "limits.max_sessions": 10_000, ...(await settings()) });
  });

  /** Sends the writes of a case and returns what comes back, up to the end if that is expected. */
  async function answersTo({ writes, answers }: Case, parts: readonly Uint8Array[] = writes): Promise<string[]> {
    using connection = await RawConnection.upgraded(server.port, connect);
    await connection.writeApart(parts);
    if (answers.at(-1)?.startsWith("close") === true) return await connection.framesUntil(() => false);
    connection.write(STOP_FRAME);
    let left = answers.length + 1;
    return await connection.framesUntil(() => --left === 0);
  }

  const expected = ({ answers }: Case): string[] => {
    return [...answers, answers.at(-1)?.startsWith("close") === true ? "FIN" : IN_ORDER];
  };

  /** Compares answers. What is asked right before a close may stay without one: the session is over. */
  const conforms = (found: readonly string[], wanted: readonly string[]): boolean => {
    const isClosed = wanted.at(-1) === "FIN";
    const [left, right] = [found, wanted].map((all) => (isClosed ? all.filter((answer) => answer !== IN_ORDER) : all));
    return Bun.deepEquals(left, right);
  };

  /** Runs the cases, several at a time, and returns those whose answers are not the expected ones. */
  async function deviations(cases: Cases, cuts: (one: Case) => readonly (readonly Uint8Array[])[]) {
    const found: Record<string, unknown> = {};
    const runs = Object.entries(cases).flatMap(([title, one]) => cuts(one).map((parts) => ({ title, one, parts })));
    const queue = runs.values();
    const worker = async (): Promise<void> => {
      for (const { title, one, parts } of queue) {
        const answers = await answersTo(one, parts);
        if (!conforms(answers, expected(one))) found[`${title}, ${parts.length} writes`] = answers;
      }
    };
    await Promise.all(Array.from({ length: 64 }, worker));
    return found;
  }

  const whole = ({ writes }: Case) => [[Buffer.concat(writes)]];
  const bytewise = ({ writes }: Case) => {
    const all = Buffer.concat(writes);
    return all.length > SHORT ? [] : [asBytes(all)];
  };
  const atEveryByte = ({ writes }: Case) => {
    const all = Buffer.concat(writes);
    return range(1, all.length - 1).map((at) => [all.subarray(0, at), all.subarray(at)]);
  };

  const titles: Readonly<Record<keyof typeof SECTIONS, string>> = {
    FRAMING:
      "lengths up to the limits are taken; larger ones, reserved bits and opcodes, and frames without a mask are not",
    CONTROL: "pings are answered with their payload, pongs ignored, control frames of more than 125 bytes refused",
    FRAGMENTATION: "fragments are one message, with control frames in between; other messages in between are refused",
    UTF8: "text is UTF-8 wherever it is cut; what is none is closed with 1007",
    CLOSE: "a close is answered with its code; codes that may not be sent are refused; nothing follows it",
  };
  for (const [name, cases] of Object.entries(SECTIONS)) {
    const title = titles[name as keyof typeof SECTIONS];
    test(title, async () => {
      await prove("conformance", async () => {
        expect(await deviations(cases, whole)).toEqual({});
        return `${Object.keys(cases).length} cases over ${transport}`;
      });
    });
    test(`${title}: also byte by byte`, async () => expect(await deviations(cases, bytewise)).toEqual({}));
  }

  test("a frame may be cut at every byte", async () => {
    const cases: Cases = {
      short: sent(STOP_FRAME).gets(IN_ORDER),
      "with a length of 2 bytes": sent(frameBytes(text, STOP.padEnd(126))).gets(IN_ORDER),
      "a ping between fragments": FRAGMENTATION["a ping between fragments"]!,
      "a close with a reason": sent(closeBytes(1000, "κό")).gets("close 1000"),
      "text of four bytes": sent(frameBytes(text, named(Buffer.from("😀")))).gets("error unknown_request"),
      "an invalid one": sent(STOP_FRAME, frameBytes(3, "x")).gets(IN_ORDER, "close 1002"),
    };
    expect(await deviations(cases, atEveryByte)).toEqual({});
  });

  test("known deviation: lengths that are not in the shortest form are taken", async () => {
    expect(await deviations(LONG_FORMS, (one) => [...whole(one), ...bytewise(one)])).toEqual({});
  });

  test("TCP that a client closes on its side alone ends the connection in good order, after what was asked before", async () => {
    for (const [bytes, answers] of [
      [Buffer.alloc(0), ["FIN"]],
      [STOP_FRAME.subarray(0, 9), ["FIN"]],
      [frameBytes(text, begin, { final: false }), ["FIN"]],
      [closeBytes(1000), ["close 1000", "FIN"]],
    ] as const) {
      using connection = await RawConnection.upgraded(server.port, connect);
      connection.write(bytes);
      connection.finish();
      expect(await connection.framesUntil(() => false)).toEqual([...answers]);
    }
    using connection = await RawConnection.upgraded(server.port, connect);
    connection.write(STOP_FRAME);
    expect(await connection.framesUntil((frame) => frame === IN_ORDER)).toEqual([IN_ORDER]);
    connection.finish();
    expect(await connection.ended()).toBe("FIN");
  });

  test("a close of the server comes after all events, and whatever the client still sends does not break it", async () => {
    using connection = await RawConnection.upgraded(server.port, connect, "/api/v1/simple");
    const start = '{"request":"start","format":{"channels":1,"sample_rate":16000,"bit_depth":16,"is_float":false}}';
    connection.write(
      Buffer.concat([
        frameBytes(text, start),
        frameBytes(binary, Buffer.alloc(3_200)),
        frameBytes(text, '{"request":"stop","disconnect":true}'),
        ...range(1, 50).map(() => frameBytes(binary, Buffer.alloc(4_000))),
      ]),
    );
    expect(await connection.framesUntil((frame) => frame.startsWith("close"))).toEqual([
      "started",
      "segment",
      "stopped",
      "close 1000",
    ]);
    connection.write(Buffer.concat([frameBytes(binary, Buffer.alloc(4_000)), frameBytes(3), closeBytes(1000)]));
    connection.finish();
    expect(await connection.ended()).toBe("FIN");
  });

  test("nothing of this is logged as a fault of the server", async () => {
    expect(server.err.split("\n").filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
