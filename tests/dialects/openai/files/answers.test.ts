import { expect, test } from "bun:test";

import type { Passage } from "../../../../src/dialects/files/transcript.ts";
import { Transcript } from "../../../../src/dialects/files/transcript.ts";
import { TranscriptionAnswers } from "../../../../src/dialects/openai/files/answers.ts";
import { AskedFields } from "../../../../src/dialects/openai/files/fields.ts";

function passage(text: string): Passage {
  return { text, words: [], confidence: 1, language: undefined, others: {}, channel: 0, start: 0, end: 1 };
}

test("a stream that is asked for behind the file has the text from before, too", () => {
  const asked = new AskedFields();
  const answers = new TranscriptionAnswers(asked, false);
  expect(answers.passage(passage("one"))).toEqual([]);
  asked.take("stream", "true");
  const [, delta] = answers.passage(passage("two"));
  expect(delta).toBe('data: {"type":"transcript.text.delta","delta":"one two"}\n\n');
  expect(answers.complete(new Transcript("fields"))).toEqual([
    'data: {"type":"transcript.text.done","text":"one two"}\n\n',
  ]);
});
