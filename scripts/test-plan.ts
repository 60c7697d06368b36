// Which files of tests run, in which order and how many at a time.

import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { type Suite, suiteFiles } from "./suites.ts";
import { NAMES, planFor } from "./torture/plan.ts";

/** Most tests wait for most of their time: more files than cores fill the gaps. */
const TOGETHER = Math.min(6, availableParallelism() + 2);
/** Files at a time of those that judge memory, time, or what a machine carries. */
const JUDGING = 2;

/** Seconds of the files that take long, on two cores: they begin first, so that none is left over at the end. */
export const SECONDS: Readonly<Record<string, number>> = {
  "tests/docs/guide.test.ts": 60,
  "tests/suites/interop/livekit.test.ts": 55,
  "tests/docs/recipes.test.ts": 45,
  "tests/suites/browser/site.test.ts": 45,
  "tests/suites/interop/python-client.test.ts": 45,
  "tests/suites/browser/console.test.ts": 40,
  "tests/suites/torture/overload.test.ts": 38,
  "tests/suites/torture/fuzzing.test.ts": 35,
  "tests/integration/executable.test.ts": 35,
  "tests/integration/who-may-connect.test.ts": 34,
  "tests/integration/bench.test.ts": 33,
  "tests/suites/torture/processes.test.ts": 32,
  "tests/suites/interop/examples.test.ts": 31,
  "tests/suites/interop/wav-encodings.test.ts": 30,
  "tests/suites/browser/client-package.test.ts": 30,
  "tests/suites/engines/triton.test.ts": 30,
  "tests/suites/torture/soak.test.ts": 28,
  "tests/integration/processes.test.ts": 27,
  "tests/integration/stuck-models.test.ts": 25,
  "tests/integration/process.test.ts": 25,
  "tests/integration/demo.test.ts": 25,
  "tests/docs/commands.test.ts": 23,
  "tests/suites/torture/peers.test.ts": 22,
  "tests/integration/order-and-flow-control.test.ts": 22,
  "tests/suites/proxies/clusters.test.ts": 22,
  "tests/suites/proxies/grpc.test.ts": 22,
  "tests/suites/engines/moonshine.test.ts": 20,
  "tests/suites/interop/compressed-files.test.ts": 20,
  "tests/suites/interop/grpc.test.ts": 20,
  "tests/suites/torture/deaths.test.ts": 19,
  "tests/integration/worker-deaths.test.ts": 19,
  "tests/suites/engines/python.test.ts": 17,
  "tests/integration/tokens.test.ts": 17,
  "tests/contracts/worker-hosts.test.ts": 16,
  "tests/suites/interop/riva.test.ts": 16,
  "tests/commands/model/checks/check-model.test.ts": 16,
  "tests/contracts/model-scheduler.test.ts": 16,
  "tests/integration/back-pressure.test.ts": 16,
  "tests/integration/resume.test.ts": 16,
  "tests/integration/grpc.test.ts": 16,
  "tests/suites/interop/client-package.test.ts": 15,
  "tests/scripts/client-package.test.ts": 15,
  "tests/integration/client-package.test.ts": 15,
  "tests/integration/python-models.test.ts": 15,
  "tests/suites/engines/sherpa.test.ts": 15,
  "tests/suites/engines/silero.test.ts": 15,
  "tests/suites/interop/home-assistant.test.ts": 15,
  "tests/suites/images/image.test.ts": 15,
  "tests/suites/proxies/streams.test.ts": 15,
  "tests/integration/errors.test.ts": 14,
  "tests/suites/engines/dialects.test.ts": 13,
  "tests/integration/model-files.test.ts": 13,
  "tests/suites/torture/scheduler.test.ts": 12,
  "tests/audio/format-guess.test.ts": 12,
  "tests/contracts/transports.test.ts": 12,
  "tests/integration/traces.test.ts": 12,
  "tests/docs/python-models.test.ts": 11,
  "tests/suites/browser/reference.test.ts": 11,
  "tests/contracts/deaths.test.ts": 10,
  "tests/integration/failure-modes.test.ts": 10,
  "tests/integration/send-terminal.test.ts": 10,
  "tests/worker/python/loading.test.ts": 10,
  "tests/integration/send-timeouts.test.ts": 9,
  "tests/suites/interop/completion.test.ts": 9,
  "tests/contracts/faults.test.ts": 9,
  "tests/integration/child-processes.test.ts": 9,
  "tests/integration/outputs.test.ts": 9,
  "tests/integration/reload.test.ts": 9,
  "tests/integration/send-drain.test.ts": 9,
  "tests/pool/process-host.test.ts": 9,
  "tests/contracts/hostile-messages.test.ts": 8,
  "tests/suites/torture/pool-deaths.test.ts": 8,
  "tests/suites/torture/pinned-deaths.test.ts": 8,
  "tests/suites/engines/pocketsphinx.test.ts": 8,
  "tests/server/websocket-tls.test.ts": 8,
  "tests/vad/quiet-speech.test.ts": 8,
};
/** Seconds of any other file, of a suite and of the core. */
const OF_SUITES_SECONDS = 10;
const OF_CORE_SECONDS = 1;

/** Files that run one after the other in so many processes. */
export interface Stage {
  readonly parallel: number;
  /** Relative to the root. */
  readonly files: readonly string[];
}

/** The core tests and those of these suites: first what can run together, then what judges. */
export async function testPlan(root: string, suites: readonly Suite[]): Promise<Stage[]> {
  const ofSuites = await Promise.all(suites.map((suite) => suiteFiles(root, suite)));
  const all = [...(await coreFiles(root)), ...ofSuites.flat()];
  const judges = new Set((await planFor(root, NAMES)).alone.map(({ path }) => path));
  const stages = [
    { parallel: TOGETHER, files: all.filter((file) => !judges.has(file)) },
    { parallel: JUDGING, files: all.filter((file) => judges.has(file)) },
  ];
  return stages.filter(({ files }) => files.length > 0);
}

/** The files that plain `bun test` runs. */
export async function coreFiles(root: string): Promise<string[]> {
  const names = await readdir(join(root, "tests"), { recursive: true });
  const files = names.filter((name) => name.endsWith(".test.ts")).map((name) => join("tests", name));
  return files.filter((file) => !isOfSuite(file)).sort();
}

function isOfSuite(file: string): boolean {
  return file.startsWith(join("tests", "suites"));
}

/** Milliseconds that a file takes, about. */
export function expectedMs(file: string): number {
  const usual = isOfSuite(file) ? OF_SUITES_SECONDS : OF_CORE_SECONDS;
  return (SECONDS[file] ?? usual) * 1_000;
}
