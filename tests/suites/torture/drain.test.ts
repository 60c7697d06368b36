import { setDefaultTimeout, test } from "bun:test";

import { freshSeed, seeded } from "../../support/audio.ts";
import { drainUnderLoad } from "../../support/drain-under-load.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { prove, rounds } from "../../support/proof.ts";

const RUNS = rounds(12, 200);

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const executable = await sharedExecutable();
const seed = freshSeed();

test(`${RUNS} times SIGTERM at a random moment under load loses no result (seed ${seed})`, async () => {
  await prove("shutdowns", async () => {
    const random = seeded(seed);
    for (let i = 0; i < RUNS; i++) await drainUnderLoad(executable, random);
    return `${RUNS} shutdowns, 0 results lost`;
  });
});
