import { describe, expect, test } from "bun:test";

import { AsteriskReader } from "../../../src/dialects/asterisk/reader.ts";

const PLAIN =
  "MEDIA_START connection_id:streamer channel:WebSocket/streamer/0x7f2c58 channel_id:1764194400.7 format:ulaw " +
  "optimal_frame_size:160 ptime:20";
const JSON_START = JSON.stringify({
  event: "MEDIA_START",
  connection_id: "streamer",
  channel: "WebSocket/streamer/0x7f2c58",
  channel_id: "1764194400.7",
  format: "ulaw",
  optimal_frame_size: 160,
  ptime: 20,
  channel_variables: { MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE: "160" },
});

function read(message: string | Uint8Array, call?: string) {
  return new AsteriskReader({ call, wishes: {}, session: "session" }).read(message);
}

describe("the messages of Asterisk", () => {
  test("begin the audio in plain text and in JSON", () => {
    const parameters = {
      channel: "WebSocket/streamer/0x7f2c58",
      channel_id: "1764194400.7",
      connection_id: "streamer",
    };
    const format = { channels: 1, sample_rate: 8_000, bit_depth: 8, is_float: false, encoding: "mulaw" };
    for (const message of [PLAIN, JSON_START]) {
      const expected = { kind: "start" as const, details: { call: "1764194400.7", parameters }, format, wishes: {} };
      expect(read(message)).toEqual(expected);
    }
  });

  test("are named by the dialplan, by the id of the channel, or not at all", () => {
    const names = [read(PLAIN, "caller"), read(PLAIN), read("MEDIA_START format:slin16")];
    expect(names.map((message) => message?.kind === "start" && message.details.call)).toEqual([
      "caller",
      "1764194400.7",
      "session",
    ]);
  });

  test("have the rates of signed linear in the names of the codecs; other codecs are refused", () => {
    const formatOf = (name: string) => read(`MEDIA_START format:${name}`);
    expect(formatOf("slin")).toMatchObject({ format: { sample_rate: 8_000, bit_depth: 16, encoding: "pcm" } });
    expect(formatOf("slin44")).toMatchObject({ format: { sample_rate: 44_100, bit_depth: 16 } });
    expect(formatOf("alaw")).toMatchObject({ format: { sample_rate: 8_000, bit_depth: 8, encoding: "alaw" } });
    for (const name of ["opus", "g722", "toString", ""]) {
      expect(formatOf(name)).toMatchObject({ format: { code: "unsupported_format" } });
    }
  });

  test("that do not begin the audio have no effect", () => {
    for (const message of ["DTMF_END digit:5 channel_id:1.7", "MEDIA_XOFF", "STATUS queue:0", '{"event":"LATER"}']) {
      expect(read(message)).toBeUndefined();
    }
    expect(read(Uint8Array.of(1))).toEqual({ kind: "audio", bytes: Uint8Array.of(1) });
    expect(() => read("{")).toThrow("allowed: one JSON object");
    for (const rubbish of ["", "hello", "RIFF", "{}"]) {
      expect(() => read(rubbish)).toThrow("allowed: control messages, such as MEDIA_START");
    }
  });
});
