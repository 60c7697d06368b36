import { expect, setDefaultTimeout, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { prove, rounds } from "../../support/proof.ts";
import { streamUnderDeaths } from "../../support/worker-deaths.ts";

/** Deaths of each kind: 8 kinds, of which some take longer than a call may. */
const SHORT = 4;
const LONG = 1_000;
const MOST_GROWTH_MIB = 20;
/** The server collects all garbage when no stream has been open for a while, at most every 30 s. */
const SETTLE_MS = rounds(0, 40_000);

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3 * 3_600_000);

const executable = await sharedExecutable();
const seed = freshSeed();
const each = rounds(SHORT, LONG);

test(`workers that die ${each} times in each way there is, at random under load, lose nothing (seed ${seed})`, async () => {
  await prove("deaths", async () => {
    const { deaths, streams, samples, missing, errors, growthMib } = await streamUnderDeaths(
      executable,
      each,
      seed,
      SETTLE_MS,
    );
    expect(missing).toBe(0);
    expect(Math.min(...Object.values(deaths))).toBeGreaterThanOrEqual(each);
    // A short run ends before the memory of the first calls has settled.
    if (each === LONG) expect(growthMib).toBeLessThan(MOST_GROWTH_MIB);
    const total = Object.values(deaths).reduce((sum, count) => sum + count, 0);
    const ways = Object.entries(deaths).map(([death, count]) => `${death} ${count}`);
    const shown = `${missing} of ${samples} samples of ${streams} streams missing, ${errors} spans with an error`;
    return `${total} deaths (${ways.join(", ")}): ${shown}, ${growthMib.toFixed(0)} MiB`;
  });
});
