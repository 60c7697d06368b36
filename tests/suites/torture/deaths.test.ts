import { rounds } from "../../support/proof.ts";
import { testStreamsUnderDeaths } from "../../support/streams-under-deaths.ts";

// The core tests see 100 of fewer streams at a time.
testStreamsUnderDeaths(rounds(30, 1_000), 8);
