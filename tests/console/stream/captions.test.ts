import { expect, test } from "bun:test";

import { asJson, asSrt, asText, asVtt } from "../../../src/console/stream/captions.ts";
import type { Result } from "../../../src/console/stream/result.ts";

function result(start: number, end: number, more: Partial<Result>): Result {
  const timing = { latencyMs: undefined, queueMs: undefined, computeMs: undefined };
  return {
    id: start,
    channel: 0,
    start,
    end,
    isFinal: true,
    text: undefined,
    fields: {},
    audio: undefined,
    timing,
    error: undefined,
    ...more,
  };
}

const RESULTS: readonly Result[] = [
  result(3661.0004, 3662.5, { channel: 1, text: "a < b & c --> d" }),
  result(0.98, 3.75, { text: "Turn left.\n\nNow." }),
  result(5, 6, { fields: { rms_dbfs: -20.5, kind: "hum" } }),
  result(7, 8, { error: "it failed" }),
  result(8, 9, { isFinal: false, text: "not yet" }),
  result(9, 10, { text: "" }),
];

test("text has a line for each result, with its channel if there are several", () => {
  expect(asText(RESULTS, 1)).toBe("Turn left.\n\nNow.\nrms_dbfs -20.5, kind hum\na < b & c --> d\n");
  expect(asText(RESULTS.slice(0, 1), 2)).toBe("[1] a < b & c --> d\n");
  expect(asText([], 1)).toBe("");
});

test("SubRip has numbers, commas, and no empty line within a block", () => {
  expect(asSrt(RESULTS, 1)).toBe(
    [
      "1\n00:00:00,980 --> 00:00:03,750\nTurn left.\nNow.\n",
      "2\n00:00:05,000 --> 00:00:06,000\nrms_dbfs -20.5, kind hum\n",
      "3\n01:01:01,000 --> 01:01:02,500\na < b & c -> d\n",
    ].join("\n"),
  );
});

test("WebVTT has its head, points, escaped characters and voices", () => {
  expect(asVtt(RESULTS, 2)).toBe(
    [
      "WEBVTT\n",
      "00:00:00.980 --> 00:00:03.750\n<v Channel 0>Turn left.\nNow.\n",
      "00:00:05.000 --> 00:00:06.000\n<v Channel 0>rms_dbfs -20.5, kind hum\n",
      "01:01:01.000 --> 01:01:02.500\n<v Channel 1>a &lt; b &amp; c -&gt; d\n",
    ].join("\n"),
  );
  expect(asVtt([], 1)).toBe("WEBVTT\n");
});

test("subtitles have no empty line by a lone carriage return, and stay even if they are of a moment", () => {
  const short = [result(1, 1, { text: "one\r\rtwo\r\n\r\nthree" }), result(2, 3, { text: " \n " })];
  expect(asSrt(short, 1)).toBe("1\n00:00:01,000 --> 00:00:01,500\none\ntwo\nthree\n");
  expect(asSrt([result(0.1, 0.2, { text: "a" })], 1)).toContain("00:00:00,100 --> 00:00:00,200");
  expect(asVtt(short, 1)).toBe("WEBVTT\n\n00:00:01.000 --> 00:00:01.500\none\ntwo\nthree\n");
});

test("JSON has all finals, errors included", () => {
  expect(JSON.parse(asJson(RESULTS))).toEqual([
    { channel: 1, start_time: 3661.0004, end_time: 3662.5, text: "a < b & c --> d" },
    { channel: 0, start_time: 0.98, end_time: 3.75, text: "Turn left.\n\nNow." },
    { channel: 0, start_time: 5, end_time: 6, rms_dbfs: -20.5, kind: "hum" },
    { channel: 0, start_time: 7, end_time: 8, error: "it failed" },
    { channel: 0, start_time: 9, end_time: 10, text: "" },
  ]);
});

test("JSON has what the model has said under any name, beside what the server and the page say", () => {
  const timing = { latencyMs: 5, queueMs: 1, computeMs: undefined };
  const fields = { start: 7, end: "x", error: "none", latency_ms: 3 };
  expect(JSON.parse(asJson([result(1, 2, { fields, timing })]))).toEqual([
    { channel: 0, start_time: 1, end_time: 2, ...fields, timing: { latency_ms: 5, queue_ms: 1 } },
  ]);
});
