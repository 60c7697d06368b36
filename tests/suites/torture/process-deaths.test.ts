import { expect, setDefaultTimeout, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { PROCESS_DEATHS } from "../../support/models/doomed-process.ts";
import { modelPath } from "../../support/pool-harness.ts";
import { processesWith } from "../../support/process-tree.ts";
import { prove, rounds } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";
import { type DoomedModel, streamUnderDeaths } from "../../support/worker-deaths.ts";

/** Deaths of each kind: 10 kinds, of which some take longer than a call may. */
const SHORT = 1;
const LONG = 100;

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3 * 3_600_000);

const executable = await sharedExecutable();
const seed = freshSeed();
const each = rounds(SHORT, LONG);

const MARK = crypto.randomUUID();

const DOOMED: DoomedModel = {
  path: modelPath("doomed-process"),
  deaths: PROCESS_DEATHS,
  settings: { "model.isolation": "process", "model.env.DOOMED_RUN": MARK },
};

test(`workers in processes that die ${each} times in each way there is lose nothing (seed ${seed})`, async () => {
  await prove("deaths", async () => {
    const { deaths, samples, streams, missing, errors } = await streamUnderDeaths(executable, each, seed, 0, DOOMED);
    expect(missing).toBe(0);
    expect(Math.min(...Object.values(deaths))).toBeGreaterThanOrEqual(each);
    await waitUntil("the end of all processes", () => processesWith(MARK).length === 0);
    const total = Object.values(deaths).reduce((sum, count) => sum + count, 0);
    const shown = `${missing} of ${samples} samples of ${streams} streams missing`;
    return `${total} deaths of processes: ${shown}, ${errors} spans with an error`;
  });
});
