import { expect, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { checkMixedStreams } from "../../support/mixed-streams.ts";

const seed = freshSeed();

test(`200 streams of different formats and cuts through 2 workers: every ledger adds up, every failed span is named (seed ${seed})`, async () => {
  const { segments, errors } = await checkMixedStreams(200, seed);
  expect(segments).toBeGreaterThan(500);
  expect(errors).toBeGreaterThan(20);
}, 120_000);
