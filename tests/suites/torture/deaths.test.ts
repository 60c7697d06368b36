import { test } from "bun:test";

import { checkPinnedUnderDeaths } from "../../support/pinned-under-deaths.ts";
import { checkPoolUnderDeaths } from "../../support/pool-under-deaths.ts";
import { rounds } from "../../support/proof.ts";
import { testStreamsUnderDeaths } from "../../support/streams-under-deaths.ts";

/** Enough that some deaths meet every stage of a call. */
const POOL_DEATHS = rounds(100, 300);
const PINNED_DEATHS = rounds(60, 300);

testStreamsUnderDeaths(rounds(300, 1_000), 8);

test("nothing is lost, doubled or kept when workers die at random hundreds of times", async () => {
  await checkPoolUnderDeaths(POOL_DEATHS);
}, 1_800_000);

test("no sample of a pinned stream is lost, doubled or given to another when workers die hundreds of times", async () => {
  await checkPinnedUnderDeaths({ crashes: PINNED_DEATHS });
}, 1_800_000);
