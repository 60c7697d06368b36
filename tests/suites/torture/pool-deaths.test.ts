import { test } from "bun:test";

import { checkPoolUnderDeaths } from "../../support/pool-under-deaths.ts";
import { rounds } from "../../support/proof.ts";

/** Enough that some deaths meet every stage of a call. */
const DEATHS = rounds(100, 300);

test("nothing is lost, doubled or kept when workers die at random hundreds of times", async () => {
  await checkPoolUnderDeaths(DEATHS);
}, 1_800_000);
