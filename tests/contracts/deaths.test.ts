import { testStreamsUnderDeaths } from "../support/streams-under-deaths.ts";

testStreamsUnderDeaths(100, 2);
