import { test } from "bun:test";

import { checkPinnedUnderDeaths } from "../../support/pinned-under-deaths.ts";
import { rounds } from "../../support/proof.ts";

const DEATHS = rounds(60, 300);

test("no sample of a pinned stream is lost, doubled or given to another when workers die hundreds of times", async () => {
  await checkPinnedUnderDeaths({ crashes: DEATHS });
}, 1_800_000);
