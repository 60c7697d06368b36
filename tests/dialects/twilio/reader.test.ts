import { describe, expect, test } from "bun:test";

import { TwilioReader } from "../../../src/dialects/twilio/reader.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";

/** The messages of Twilio's documentation, with values of our own. */
const CONNECTED = { event: "connected", protocol: "Call", version: "1.0.0" };
const START = {
  event: "start",
  sequenceNumber: "1",
  start: {
    accountSid: "AC0f",
    streamSid: "MZ0f",
    callSid: "CA0f",
    tracks: ["inbound"],
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
    customParameters: { FirstName: "Jane", model: "whisper", language: "de", interim_results: "true" },
  },
  streamSid: "MZ0f",
};
const MEDIA = {
  event: "media",
  sequenceNumber: "3",
  media: { track: "inbound", chunk: "1", timestamp: "5", payload: "AQID" },
  streamSid: "MZ0f",
};
const DTMF = { event: "dtmf", streamSid: "MZ0f", sequenceNumber: "5", dtmf: { track: "inbound_track", digit: "1" } };
const MARK = { event: "mark", sequenceNumber: "4", streamSid: "MZ0f", mark: { name: "my label" } };
const STOP = { event: "stop", sequenceNumber: "5", stop: { accountSid: "AC0f", callSid: "CA0f" }, streamSid: "MZ0f" };

function readAll(...messages: readonly object[]) {
  const reader = new TwilioReader("session");
  return messages.map((message) => reader.read(JSON.stringify(message)));
}

function refusal(message: object | string | Uint8Array): string {
  try {
    const isMessage = typeof message === "string" || message instanceof Uint8Array;
    new TwilioReader("session").read(isMessage ? message : JSON.stringify(message));
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "none";
}

/** A start with other fields. */
const started = (fields: object) => ({ ...START, start: { ...START.start, ...fields } });

describe("the messages of Twilio", () => {
  test("name a call in at most 1024 characters", () => {
    const [message] = readAll(started({ callSid: "C".repeat(1_025) }));
    expect(message).toMatchObject({ kind: "start", details: { call: "C".repeat(1_024) } });
  });

  test("of a call are its start, audio in base64, and its stop", () => {
    const format = { channels: 1, sample_rate: 8_000, bit_depth: 8, is_float: false, encoding: "mulaw" };
    const { customParameters: parameters } = START.start;
    expect(readAll(CONNECTED, START, MEDIA, DTMF, MARK, STOP)).toEqual([
      undefined,
      {
        kind: "start",
        details: { call: "CA0f", parameters },
        format,
        wishes: { model: "whisper", language: "de", interimResults: true },
      },
      { kind: "audio", bytes: Uint8Array.of(1, 2, 3) },
      undefined,
      undefined,
      { kind: "stop" },
    ]);
  });

  test("with another track are left out: the one that counts is inbound, or else the first", () => {
    const media = (track: string) => ({ ...MEDIA, media: { ...MEDIA.media, track } });
    const kinds = (tracks: readonly string[]) =>
      readAll(started({ tracks }), media("inbound"), media("outbound")).map((message) => message?.kind);
    expect(kinds(["outbound", "inbound"])).toEqual(["start", "audio", undefined]);
    expect(kinds(["outbound"])).toEqual(["start", undefined, "audio"]);
    expect(kinds([])).toEqual(["start", "audio", undefined]);
  });

  test("name the call by callSid, by streamSid, or not at all; values of parameters are limited", () => {
    const callOf = (message: object) => readAll(message).map((each) => each?.kind === "start" && each.details.call)[0];
    const { callSid: _, ...withoutCall } = START.start;
    const { streamSid: __, ...withoutStream } = withoutCall;
    expect(callOf({ ...START, start: withoutCall })).toBe("MZ0f");
    expect(callOf({ event: "start", start: withoutStream })).toBe("session");
    const [message] = readAll(started({ customParameters: { long: "x".repeat(5_000), deep: { a: 1 }, n: 7 } }));
    expect(message).toMatchObject({ details: { parameters: { long: "x".repeat(1_024), deep: "", n: "7" } } });
  });

  test("that are wrong are refused, and the field is named", () => {
    expect(refusal("{")).toStartWith("invalid_json: ");
    expect(refusal("[]")).toStartWith("invalid_request: found ");
    expect(refusal(new Uint8Array(1))).toContain("allowed: messages in JSON");
    expect(refusal({ event: "media", media: {} })).toContain("media.payload: found ");
    expect(refusal({ event: "media", media: { payload: "a" } })).toContain(
      "media.payload: found text that is not base64",
    );
    expect(refusal(started({ mediaFormat: { encoding: "audio/x-mulaw" } }))).toContain("start.mediaFormat.sampleRate");
    expect(refusal({ event: "later", media: 1 })).toBe("none");
    const [message] = readAll(started({ mediaFormat: { encoding: "audio/opus", sampleRate: 48_000 } }));
    expect(message).toMatchObject({ kind: "start", format: { code: "unsupported_format" } });
  });
});
