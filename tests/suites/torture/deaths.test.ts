import { rounds } from "../../support/proof.ts";
import { testStreamsUnderDeaths } from "../../support/streams-under-deaths.ts";

testStreamsUnderDeaths(rounds(300, 1_000), 8);
