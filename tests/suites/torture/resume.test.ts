import { setDefaultTimeout, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { checkKilledServers } from "../../support/killed-servers.ts";
import { prove, rounds } from "../../support/proof.ts";
import { checkResumedStreams } from "../../support/resume-check.ts";
import { checkResumingClients } from "../../support/resuming-clients.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const seed = freshSeed();
const runs = rounds(4, 500, 5_000);

for (const pattern of ["simple", "segmented", "stateful"]) {
  test(`${runs} streams of the pattern ${pattern} that are cut at random places are as if unbroken (seed ${seed})`, async () => {
    await prove("resume", () => checkResumedStreams(pattern, { runs, seed, keepsState: pattern === "stateful" }));
  });
}

test(`${runs} streams of a pinned model that are cut at random places are as if unbroken (seed ${seed})`, async () => {
  await prove("resume", () => checkResumedStreams("segmented", { runs, seed, pinned: { stepMs: 100 } }));
});

test(`clients whose connections are cut notice nothing, with two servers that share a key (seed ${seed})`, async () => {
  await prove("resume", () => checkResumingClients({ rounds: rounds(1, 12, 60), channels: rounds(2, 16), seed }));
});

test(`servers that are killed in mid-stream cost no sample (seed ${seed})`, async () => {
  const executable = await sharedExecutable();
  await prove("resume", () => checkKilledServers(executable, rounds(1, 15, 60), seed));
});
