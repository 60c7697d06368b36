import { setDefaultTimeout } from "bun:test";

import { testStreamsUnderEngineFaults } from "../../support/engines/streams-under-faults.ts";
import { rounds } from "../../support/proof.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

testStreamsUnderEngineFaults(rounds(2, 100), 12);
