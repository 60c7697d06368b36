// Coverage-guided fuzzing of the C library with libFuzzer and clang:
//
//   bun scripts/fuzz.ts [SECONDS] [TARGET ...]
//   bun scripts/fuzz.ts --runs 100000000 [--seconds SECONDS] [TARGET ...]
//
// SECONDS are for each target. With --runs, the targets share a number of runs: each of them has its part, and those
// that are fast take over what the slow ones do not reach within SECONDS (default: an hour). Targets are the files of
// native/fuzz/. Inputs that reach new code are added to native/fuzz/corpus/TARGET; an input that fails is written to
// native/build/fuzz/.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

import { type Ran, run, Toolchain } from "./native-programs.ts";
import { nativeFolder, nativeSources } from "./native.ts";

const build = join(nativeFolder, "build", "fuzz");

/** Objects are compiled without the main function of libFuzzer, which only programs are linked with. */
function tools(): Toolchain {
  return new Toolchain(build, ["clang"], ["-fsanitize=fuzzer-no-link,address,undefined", "-fno-sanitize-recover=all"]);
}

/** The names of all targets. */
export function fuzzTargets(): string[] {
  return readdirSync(join(nativeFolder, "fuzz"))
    .filter((name) => name.endsWith(".c"))
    .map((name) => basename(name, ".c"))
    .sort();
}

/** True when clang with libFuzzer is installed. */
export async function canFuzz(): Promise<boolean> {
  if (!Bun.which("clang")) return false;
  const target = "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d == 0 && n > 0; }\n";
  return await new Toolchain(join(build, "probe"), ["clang"], ["-fsanitize=fuzzer"]).works(target, false);
}

/** Longest fuzzing of one target, and most inputs that it runs. */
export interface FuzzLimits {
  readonly seconds: number;
  readonly runs?: number;
}

/** The end of a fuzzing: a report, and the number of inputs that were run. */
export interface Fuzzed extends Ran {
  readonly runs: number;
}

/** Fuzzes one target. `keep` adds inputs that reach new code to the corpus. */
export async function fuzz(target: string, limits: FuzzLimits, keep: boolean): Promise<Fuzzed> {
  const ran = await fuzzTarget(target, limits, keep);
  return { ...ran, runs: Number(/^Done (\d+) runs/m.exec(ran.report)?.[1] ?? 0) };
}

/** Fuzzes targets, so many at a time. Returns what will become of each. */
export function fuzzEach(
  targets: readonly string[],
  limits: FuzzLimits,
  lanes: number,
): ReadonlyMap<string, Promise<Fuzzed>> {
  const results = new Map(targets.map((target) => [target, Promise.withResolvers<Fuzzed>()]));
  const left = [...targets];
  const lane = async (): Promise<void> => {
    for (let target = left.shift(); target !== undefined; target = left.shift()) {
      const { resolve, reject } = results.get(target)!;
      await fuzz(target, limits, false).then(resolve, reject);
    }
  };
  // Their objects are the same: compiled once, before the lanes need them.
  const built = tools().objects([...targets.map(sourceOf), ...nativeSources()]);
  void built.then(
    () => Promise.all(Array.from({ length: lanes }, lane)),
    (error: unknown) => {
      for (const { reject } of results.values()) reject(error);
    },
  );
  for (const { promise } of results.values()) promise.catch(() => {});
  return new Map([...results].map(([target, { promise }]) => [target, promise]));
}

/**
 * Fuzzes all targets until they have made so many runs together, the slow ones first. Stops at the first finding.
 * @param limits of all together: runs, and seconds of each target
 */
export async function fuzzAll(
  targets: readonly string[],
  limits: Required<FuzzLimits>,
  keep: boolean,
  done: (target: string, fuzzed: Fuzzed) => void,
): Promise<void> {
  let left = limits.runs;
  const speeds = new Map<string, number>();
  for (const target of targets) speeds.set(target, (await fuzz(target, { seconds: 1 }, false)).runs);
  const order = targets.toSorted((a, b) => (speeds.get(a) ?? 0) - (speeds.get(b) ?? 0));
  for (const [index, target] of order.entries()) {
    const runs = Math.ceil(left / (order.length - index));
    const fuzzed = await fuzz(target, { seconds: limits.seconds, runs }, keep);
    left -= fuzzed.runs;
    done(target, fuzzed);
    if (!fuzzed.passed) return;
  }
}

function sourceOf(target: string): string {
  return join(nativeFolder, "fuzz", `${target}.c`);
}

async function fuzzTarget(target: string, { seconds, runs = -1 }: FuzzLimits, keep: boolean): Promise<Ran> {
  const toolchain = tools();
  const objects = await toolchain.objects([sourceOf(target), ...nativeSources()]);
  const program = await toolchain.program(target, objects, "-fsanitize=fuzzer");
  const corpus = join(nativeFolder, "fuzz", "corpus", target);
  const found = join(build, `${target}-found`);
  rmSync(found, { recursive: true, force: true });
  mkdirSync(found);
  mkdirSync(corpus, { recursive: true });
  const limits = [`-max_total_time=${seconds}`, `-runs=${runs}`, "-max_len=4096", "-timeout=20"];
  limits.push(`-artifact_prefix=${build}/${target}-`);
  const result = await run([program, ...limits, found, corpus]);
  if (!keep || !result.passed) return result;
  // Only inputs that reach new code are added. Counting visits too would add hundreds of inputs.
  const merged = await run([program, "-merge=1", "-use_counters=0", corpus, found]);
  if (!merged.passed) return merged;
  return result;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { runs: { type: "string" }, seconds: { type: "string" } },
    allowPositionals: true,
  });
  const chosen = positionals.filter((name) => !/^\d+$/.test(name));
  const targets = chosen.length > 0 ? chosen : fuzzTargets();
  const given = values.seconds ?? positionals.find((name) => /^\d+$/.test(name));
  let total = 0;
  const report = (target: string, { passed, report: text, runs }: Fuzzed): void => {
    total += runs;
    console.log(passed ? `${target}: ${runs} runs` : `${target} FAILED\n${text}`);
    if (!passed) process.exitCode = 1;
  };
  if (values.runs === undefined) {
    for (const target of targets) report(target, await fuzz(target, { seconds: Number(given ?? 10) }, true));
  } else {
    await fuzzAll(targets, { runs: Number(values.runs), seconds: Number(given ?? 3_600) }, true, report);
  }
  console.log(`${total} runs`);
}

if (import.meta.main) {
  if (await canFuzz()) await main();
  else {
    console.error("Fuzzing needs clang with libFuzzer: on Debian and Ubuntu `apt-get install clang libclang-rt-dev`.");
    process.exitCode = 1;
  }
}
