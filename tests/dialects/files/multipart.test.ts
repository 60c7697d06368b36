import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { boundaryOf, MAX_PART_HEAD_BYTES, MAX_PARTS, MultipartParser } from "../../../src/dialects/files/multipart.ts";
import type { PartHead } from "../../../src/dialects/files/part-head.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";

/** A part of a form, as it has been read. */
interface Part {
  readonly head: PartHead;
  readonly body: Buffer;
}

/** Most bytes that a parser may keep beside those of the piece that it is given. */
const MOST_HELD = MAX_PART_HEAD_BYTES + 4;

/** Reads a form in pieces that end at these places. Throws like the parser. */
function read(boundary: string, bytes: Uint8Array, cuts: readonly number[] = []): Part[] {
  const parser = new MultipartParser(boundary);
  const parts: { head: PartHead; bodies: Uint8Array[] }[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    for (const event of parser.push(bytes.subarray(from, end))) {
      if (event.kind === "part") parts.push({ head: event.head, bodies: [] });
      else if (event.kind === "body") parts.at(-1)?.bodies.push(event.bytes);
    }
    expect(parser.heldBytes).toBeLessThanOrEqual(MOST_HELD);
    from = end;
  }
  parser.end();
  return parts.map(({ head, bodies }) => ({ head, body: Buffer.concat(bodies) }));
}

/** Returns the message of the error, or the parts. */
function readOrRefuse(boundary: string, bytes: Uint8Array, cuts: readonly number[] = []): unknown {
  try {
    return read(boundary, bytes, cuts);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.message;
  }
}

function form(boundary: string, parts: readonly (readonly [head: string, body: string | Uint8Array])[]): Buffer {
  const whole = parts.map(([head, body]) =>
    Buffer.concat([Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`), Buffer.from(body), Buffer.from("\r\n")]),
  );
  return Buffer.concat([...whole, Buffer.from(`--${boundary}--\r\n`)]);
}

const FIELD = 'Content-Disposition: form-data; name="model"';
const cuts = fc.array(fc.nat(5_000), { maxLength: 30 });
/** Bytes that are mostly those of boundaries. */
const hostile = fc
  .array(fc.constantFrom("\r\n--x", "\r\n--", "\r\n", "\r", "\n", "-", "--x", "x", "--x--", "\r\n--y", "\0", "ü"), {
    maxLength: 12,
  })
  .map((pieces) => Buffer.from(pieces.join("")));

describe("a form", () => {
  test("that a client of the web sends is read in any cut, with every byte of its files", async () => {
    const names = fc.constantFrom("file", "model", "a b", 'quo"te', "ünï", "x;y");
    const parts = fc.array(
      fc.tuple(names, fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 300 }), hostile)),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(parts, cuts, async (fields, at) => {
        const data = new FormData();
        for (const [name, value] of fields) {
          if (typeof value === "string") data.append(name, value);
          else data.append(name, new Blob([value as Uint8Array<ArrayBuffer>]), "a file.wav");
        }
        const response = new Response(data);
        const boundary = boundaryOf(response.headers.get("content-type"));
        const found = read(boundary, new Uint8Array(await response.arrayBuffer()), at);
        expect(found.map(({ head }) => head.name)).toEqual(fields.map(([name]) => name));
        for (const [i, [, value]] of fields.entries()) {
          const { head, body } = found[i] as Part;
          expect(head.filename).toBe(typeof value === "string" ? undefined : "a file.wav");
          if (typeof value !== "string") expect(body).toEqual(Buffer.from(value));
          // Some encoders make CRLF of every line break in a text, as browsers do.
          else expect(body.toString().replace(/\r\n?/g, "\n")).toBe(value.toWellFormed().replace(/\r\n?/g, "\n"));
        }
      }),
    );
  });

  test("is read the same way however it is cut, whatever it contains", () => {
    const noise = fc.array(
      fc.oneof(
        hostile,
        fc.constantFrom(`--x\r\n${FIELD}\r\n\r\n`, "\r\n--x--", "--x\r\n", `${FIELD}\r\n`).map(Buffer.from),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(noise, cuts, (pieces, at) => {
        const bytes = Buffer.concat(pieces);
        expect(readOrRefuse("x", bytes, at)).toEqual(readOrRefuse("x", bytes));
      }),
      { numRuns: 500 },
    );
  });

  test("gives back bodies that contain everything but its boundary", () => {
    fc.assert(
      fc.property(hostile, cuts, (body, at) => {
        fc.pre(!`\r\n${body.toString("latin1")}`.includes("\r\n--x"));
        expect(read("x", form("x", [[FIELD, body]]), at)[0]?.body).toEqual(body);
      }),
      { numRuns: 500 },
    );
  });

  test("keeps no more than the head of a part, or what may be a boundary, of a file of any size", () => {
    const parser = new MultipartParser("x".repeat(70));
    const head = `--${"x".repeat(70)}\r\n${FIELD}\r\n\r\n`;
    let bytes = 0;
    for (const piece of [head, ...("\r\n--xxx".repeat(20_000).match(/.{1,777}/gs) ?? [])]) {
      for (const event of parser.push(Buffer.from(piece))) if (event.kind === "body") bytes += event.bytes.length;
      expect(parser.heldBytes).toBeLessThanOrEqual(73);
    }
    expect(bytes).toBeGreaterThan(139_000);
  });

  test("ends with its last boundary; what follows is left out", () => {
    const bytes = Buffer.concat([form("x", [[FIELD, "a"]]), Buffer.from("\r\n--x\r\nanything")]);
    expect(read("x", bytes)).toMatchObject([{ head: { name: "model" } }]);
    expect(read("x", Buffer.from("--x--"))).toEqual([]);
  });

  test.each([
    ["", "it ends before its last boundary"],
    ["--x\r\n", "it ends before its last boundary"],
    [`--x\r\n${FIELD}\r\n\r\nabc\r\n--x`, "it ends before its last boundary"],
    ["preamble\r\n--x--", "it does not begin with the boundary"],
    ["--y--", "it does not begin with the boundary"],
    ["--xyz", "a boundary is followed by something else"],
    [`--x\r\n${FIELD}\r\n\r\nabc\r\n--xyz`, "a boundary is followed by something else"],
    ["--x\n\n", "a boundary is followed by something else"],
    [`--x\r\n${"a".repeat(MAX_PART_HEAD_BYTES + 4)}`, `has more than ${MAX_PART_HEAD_BYTES} bytes`],
    [`--x\r\nA: ${"a".repeat(MAX_PART_HEAD_BYTES)}\r\n\r\n`, `has more than ${MAX_PART_HEAD_BYTES} bytes`],
    [`--x\r\n${FIELD}\r\n\r\n\r\n`.repeat(MAX_PARTS + 1), `more than ${MAX_PARTS} parts`],
  ])("that is not valid is refused with the reason: %j", (text, reason) => {
    expect(readOrRefuse("x", Buffer.from(text))).toContain(reason);
  });
});

describe("the boundary", () => {
  test.each([
    ["multipart/form-data; boundary=abc", "abc"],
    ['multipart/form-data; boundary="a b:c"', "a b:c"],
    ["Multipart/Form-Data;charset=utf-8;Boundary=----WebKitFormBoundaryX", "----WebKitFormBoundaryX"],
  ])("is that of %s", (type, expected) => {
    expect(boundaryOf(type)).toBe(expected);
  });

  test.each([
    null,
    "audio/wav",
    "multipart/mixed; boundary=x",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    `multipart/form-data; boundary=${"x".repeat(71)}`,
    'multipart/form-data; boundary="x "',
    "multipart/form-data; boundary=x\u007f",
  ])("cannot be that of %p", (type) => {
    expect(() => boundaryOf(type)).toThrow("Content-Type");
  });
});
