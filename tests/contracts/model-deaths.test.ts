import { test } from "bun:test";

import { checkPoolUnderDeaths } from "../support/pool-under-deaths.ts";

test("nothing is lost, doubled or kept when workers die at random", () => checkPoolUnderDeaths(50), 120_000);
