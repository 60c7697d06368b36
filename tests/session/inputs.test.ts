import { describe, expect, test } from "bun:test";

import type { Dialect, Input, Message } from "../../src/dialects/dialect.ts";
import { speechmatics } from "../../src/dialects/speechmatics/route.ts";
import { StreamerDialect } from "../../src/dialects/streamer.ts";
import { Inputs, isStart } from "../../src/session/inputs.ts";
import { configure } from "../support/in-process-server.ts";
import { FLUSH, START, STOP } from "../support/requests.ts";

function inputsOf(messages: readonly Message[], dialect: Dialect = new StreamerDialect(16)): Inputs {
  const inputs = new Inputs(dialect);
  for (const message of messages) inputs.push(message);
  return inputs;
}

/** The native dialect with two inputs for every message, one before the first and one at the end. */
class DoublingDialect extends StreamerDialect {
  readonly read_: Message[] = [];

  override begin(): readonly Input[] {
    return [{ kind: "reply", messages: () => ["hello"] }];
  }

  override read(message: Message): readonly Input[] {
    this.read_.push(message);
    return [...super.read(message), { kind: "reply", messages: () => [] }];
  }

  finished(): readonly Input[] {
    return [{ kind: "request", request: { request: "stop", disconnect: true } }];
  }
}

describe("the inputs of a client", () => {
  test("are read one message at a time, when their turn comes", () => {
    const dialect = new DoublingDialect(16);
    const inputs = inputsOf([FLUSH, new Uint8Array(4)], dialect);
    expect(inputs.shift()?.kind).toBe("reply");
    expect(dialect.read_).toEqual([]);
    expect(inputs.shift()?.kind).toBe("request");
    expect(dialect.read_).toEqual([FLUSH]);
    expect([inputs.shift()?.kind, inputs.shift()?.kind, inputs.shift()?.kind]).toEqual(["reply", "audio", "reply"]);
    expect([inputs.shift(), inputs.empty]).toEqual([undefined, true]);
  });

  test("are not empty while a message that was read has inputs left", () => {
    const inputs = inputsOf([FLUSH], new DoublingDialect(16));
    inputs.shift();
    inputs.shift();
    expect([inputs.empty, inputs.nextIsAudio]).toEqual([false, false]);
    inputs.shift();
    expect(inputs.empty).toBe(true);
  });

  test("that were put back come first", () => {
    const inputs = inputsOf([START, STOP]);
    const start = inputs.shift();
    if (start === undefined) throw new Error("no input");
    inputs.postpone(start);
    expect(inputs.shift()).toBe(start);
    expect(inputs.shift()).toEqual({ kind: "request", request: { request: "stop", disconnect: false } });
  });

  test("end with those of the dialect when the client has finished, once", () => {
    const inputs = inputsOf([new Uint8Array(2)], new DoublingDialect(16));
    inputs.finish();
    inputs.finish();
    const kinds: unknown[] = [];
    for (let input = inputs.shift(); input !== undefined; input = inputs.shift()) kinds.push(input.kind);
    expect(kinds).toEqual(["reply", "audio", "reply", "request"]);
    expect(inputs.finished).toBe(true);
  });

  test("without an end of the client are never finished", () => {
    const inputs = inputsOf([]);
    expect([inputs.shift(), inputs.finished]).toEqual([undefined, false]);
  });

  test.each([
    ["audio only", [new Uint8Array(5), new Uint8Array(7)], 12],
    ["up to a stop", [new Uint8Array(5), FLUSH, new Uint8Array(7), STOP, new Uint8Array(9)], 12],
    ["up to a start", [new Uint8Array(5), START, new Uint8Array(9)], 5],
    ["up to a start that is refused", [new Uint8Array(5), '{"request":"start"}', new Uint8Array(9)], 5],
    ["past what cannot be understood", [new Uint8Array(5), "{", new Uint8Array(9)], 14],
    ["nothing", [], 0],
  ] as [string, Message[], number][])(
    "have as much unread audio of the open stream as came before its end: %s",
    (_, messages, bytes) => {
      const inputs = inputsOf(messages);
      expect(inputs.drainAudio()).toBe(bytes);
      expect(inputs.empty).toBe(true);
    },
  );

  test("count all audio in a dialect that acknowledges each message of it", () => {
    const dialect = speechmatics.open("/v2", new Request("http://localhost/v2"), configure()).create("id");
    const start = '{"message":"StartRecognition","audio_format":{"type":"raw","encoding":"mulaw","sample_rate":8000}}';
    const inputs = inputsOf([start, ...Array.from({ length: 1_000 }, () => new Uint8Array(3))], dialect);
    expect(inputs.shift()).toMatchObject({ kind: "request", request: { request: "start" } });
    expect(inputs.drainAudio()).toBe(3_000);
  });

  test("are read to their end when the stream is ended, but not thousands of requests", () => {
    const dialect = new DoublingDialect(16);
    const audio = new Uint8Array(4);
    const few = Array.from({ length: 100 }, () => [FLUSH, audio]).flat();
    expect(inputsOf(few).drainAudio()).toBe(400);
    const inputs = inputsOf([audio, ...Array.from({ length: 20_000 }, () => "{"), audio], dialect);
    expect(inputs.drainAudio()).toBe(4);
    expect(dialect.read_.length).toBeLessThan(300);
    expect(inputs.empty).toBeTrue();
  });
});

test("a start counts as one however it is refused", () => {
  const kinds = [START, '{"request":"start","__proto__":{}}', '{"request":"start","format":7}', STOP, "start", "[]"];
  expect(kinds.map((text) => inputsOf([text]).shift()).map((input) => input && isStart(input))).toEqual([
    ...[true, true, true, false, false, false],
  ]);
});
