import { expect, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { checkMixedStreams } from "../../support/mixed-streams.ts";

const seed = freshSeed();

test(`the ledgers of 200 streams through 2 workers add up, every failed span is named (seed ${seed})`, async () => {
  const { segments, errors } = await checkMixedStreams(200, seed);
  expect(segments).toBeGreaterThan(500);
  expect(errors).toBeGreaterThan(20);
}, 1_800_000);
