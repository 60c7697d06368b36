import { describe, setDefaultTimeout, test } from "bun:test";

import { freshSeed } from "../support/audio.ts";
import { checkResumedStreams } from "../support/resume-check.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const seed = freshSeed();
const runs = 8;

describe(`a stream that is resumed at random places has the results, times and ledger of one that is not (seed ${seed})`, () => {
  test("in the pattern simple", () => checkResumedStreams("simple", { runs, seed }));
  test("in the pattern segmented", () => checkResumedStreams("segmented", { runs, seed }));
  test("in the pattern segmented, with a pinned model and the numbers of its utterances", () =>
    checkResumedStreams("segmented", { runs, seed, pinned: { stepMs: 100 } }));
  test("in the pattern stateful, with the state of the model", () =>
    checkResumedStreams("stateful", { runs, seed, keepsState: true }));
});
