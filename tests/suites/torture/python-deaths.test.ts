import { expect, setDefaultTimeout } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { processesWith } from "../../support/process-tree.ts";
import { prove, rounds } from "../../support/proof.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";
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
  path: pythonModel("doomed"),
  deaths: {
    throw: "t",
    exit: "e",
    exitLater: "E",
    SIGKILL: "k",
    SIGSEGV: "g",
    memory: "m",
    hang: "h",
    loop: "s",
    native: "n",
    load: "l",
  },
  settings: { "model.python": python ?? "", "model.env.DOOMED_RUN": MARK },
};

testWith(python)(
  `workers in Python that die ${each} times in each way there is lose nothing (seed ${seed})`,
  async () => {
    await prove("python_deaths", async () => {
      const found = await streamUnderDeaths(executable, each, seed, 0, DOOMED);
      expect(found.missing).toBe(0);
      expect(Math.min(...Object.values(found.deaths))).toBeGreaterThanOrEqual(each);
      await waitUntil("the end of all workers", () => processesWith(MARK).length === 0);
      const total = Object.values(found.deaths).reduce((sum, count) => sum + count, 0);
      const shown = `${found.missing} of ${found.samples} samples of ${found.streams} streams missing`;
      return `${total} deaths of workers in Python: ${shown}, ${found.errors} spans with an error`;
    });
  },
);
