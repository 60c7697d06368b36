import { expect, test } from "bun:test";

import type { Finding } from "../../../../src/commands/model/checks/finding.ts";
import type { Result } from "../../../../src/commands/model/checks/result.ts";
import { reportWords } from "../../../../src/commands/model/checks/words.ts";

/** The findings about results with these outputs, for 3 s of audio. */
function findingsOf(outputs: readonly (Record<string, unknown> | undefined)[], isRecording = false): Finding[] {
  const findings: Finding[] = [];
  const call = { status: "ok", queueMs: 0, inferMs: 1, worker: 0, batchSize: 1 } as const;
  const results = outputs.map((output): Result => ({ ...call, output }));
  reportWords(results, 3, isRecording, (verdict, check, text) => findings.push({ verdict, check, text }));
  return findings;
}

const ASK = "run the checks with --input FILE, a WAV file with speech, to see its words";

test("a recogniser that is silent about the synthetic signal is asked for a recording, and about a recording is noted", () => {
  const why = "none, because the synthetic signal is no speech, and the other checks compare empty texts";
  expect(findingsOf([{ text: "" }, { text: " " }])).toEqual([
    { verdict: "note", check: "words", text: `${why}; ${ASK}` },
  ]);
  expect(findingsOf([{ text: "" }], true)).toEqual([
    { verdict: "note", check: "words", text: "none in this recording" },
  ]);
});

test("a model without any result is noted, and one without text is none of a recogniser", () => {
  const why = "the model has no result for the synthetic signal, which is no speech";
  expect(findingsOf([undefined, undefined])).toEqual([{ verdict: "note", check: "words", text: `${why}; ${ASK}` }]);
  expect(findingsOf([undefined], true)).toMatchObject([{ text: "the model has no result in this recording" }]);
  expect(findingsOf([{ level: 1 }, undefined])).toEqual([]);
  expect(findingsOf([{ text: 5 }])).toEqual([]);
});

test("the words are printed, with an excerpt of a long text", () => {
  expect(findingsOf([{ text: "go forward" }, { text: "ten meters " }], true)).toEqual([
    { verdict: "ok", check: "words", text: '"go forward ten meters"' },
  ]);
  expect(findingsOf([{ text: "go" }])).toMatchObject([{ text: `"go", for a synthetic signal; ${ASK}` }]);
  const [{ text = "" } = {}] = findingsOf([{ text: "go ".repeat(1000) }], true);
  expect(text.length).toBeLessThan(1100);
  expect(text).toContain("go go");
});

test.each([
  [[{ word: "go", start: 0, end: 0.5 }], "ok", "1 word with times"],
  [
    [
      { word: "go", start: 0, end: 0.5 },
      { word: "on", start: 0.5, end: 3.005, confidence: 1 },
    ],
    "ok",
    "2 words with times",
  ],
  [[], "ok", "0 words with times"],
  ["go", "note", '"words" is no list'],
  [["go"], "note", "words[0].word is no string"],
  [[null], "note", "words[0].word is no string"],
  [[{ word: "go", start: 0 }], "note", "words[0] has no start or no end in seconds"],
  [[{ word: "go", start: 2, end: 1 }], "note", "words[0] lasts from 2 to 1"],
  [[{ word: "go", start: Number.NaN, end: 1 }], "note", "words[0] lasts from NaN to 1"],
  [[{ word: "go", start: 2, end: 4 }], "note", "words[0] ends at 4 s, but the audio has 3 s"],
] as const)("words %j give a finding: %s, %s", (words, verdict, text) => {
  expect(findingsOf([{ text: "go", words }], true)[1]).toEqual({
    verdict,
    check: "word times",
    text: expect.stringContaining(text) as unknown as string,
  });
});
