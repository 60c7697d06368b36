import { expect, test } from "bun:test";

import { subRip, webVtt } from "../../../src/dialects/files/subtitles.ts";

const common = { channel: 0, words: [], confidence: 1, language: undefined, others: {} };
const passages = [
  { ...common, text: " turn\n\nleft ", start: 0.9995, end: 59.9999 },
  { ...common, text: "a <b> & c --> d", start: 3_661.0004, end: 360_000 },
];

test("SubRip has numbered cues of one line, with milliseconds behind a comma", () => {
  expect(subRip(passages)).toBe(
    "1\n00:00:01,000 --> 00:01:00,000\nturn left\n\n2\n01:01:01,000 --> 100:00:00,000\na <b> & c --> d\n",
  );
  expect(subRip([])).toBe("");
});

test("WebVTT has cues in which no text is a mark", () => {
  expect(webVtt(passages)).toBe(
    "WEBVTT\n\n00:00:01.000 --> 00:01:00.000\nturn left\n\n01:01:01.000 --> 100:00:00.000\na &lt;b&gt; &amp; c --&gt; d\n",
  );
  expect(webVtt([])).toBe("WEBVTT\n");
});
