import { expect, test } from "bun:test";

import { asJson, asSrt, asText, asVtt } from "../../../src/console/stream/captions.ts";
import type { Result } from "../../../src/console/stream/record.ts";

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

test("JSON has all finals, errors included", () => {
  expect(JSON.parse(asJson(RESULTS))).toEqual([
    { channel: 1, start: 3661.0004, end: 3662.5, text: "a < b & c --> d" },
    { channel: 0, start: 0.98, end: 3.75, text: "Turn left.\n\nNow." },
    { channel: 0, start: 5, end: 6, rms_dbfs: -20.5, kind: "hum" },
    { channel: 0, start: 7, end: 8, error: "it failed" },
    { channel: 0, start: 9, end: 10, text: "" },
  ]);
});
