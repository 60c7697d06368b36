import { expect, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { checkMixedStreams } from "../../support/mixed-streams.ts";
import { prove, rounds } from "../../support/proof.ts";

const seed = freshSeed();
const RUNS = rounds(1, 10, 100);

test(`the ledgers of 200 streams through 2 workers add up, every failed span is named (seed ${seed})`, async () => {
  await prove("ledger", async () => {
    const sum = { segments: 0, errors: 0 };
    for (let run = 0; run < RUNS; run++) {
      const { segments, errors } = await checkMixedStreams(200, seed + run);
      expect(segments).toBeGreaterThan(500);
      expect(errors).toBeGreaterThan(20);
      sum.segments += segments;
      sum.errors += errors;
    }
    return `${RUNS * 200} streams, ${sum.segments} finals, ${sum.errors} named errors, 0 samples missing`;
  });
}, 3_600_000);
