import { setDefaultTimeout, test } from "bun:test";

import { freshSeed } from "../support/audio.ts";
import { checkResumingClients } from "../support/resuming-clients.ts";

// Far longer than this test takes, so that a busy machine does not fail it.
setDefaultTimeout(300_000);

const seed = freshSeed();

test(`a client whose connections are cut gets the events of one whose is not, from two servers that share a key (seed ${seed})`, async () => {
  await checkResumingClients({ rounds: 1, channels: 1, seed, only: "segmented" });
});
