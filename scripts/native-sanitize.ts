// Runs the C library under the address, undefined-behaviour and thread sanitizers:
//
//   bun scripts/native-sanitize.ts [RUNS [SEED]]
//
// The programs are the tests in native/tests/ and the fuzz targets in native/fuzz/, the latter on the corpus and on
// RUNS random inputs.

import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";

import { run, Toolchain } from "./native-programs.ts";
import { compiler, nativeFolder, nativeSources } from "./native.ts";

const build = join(nativeFolder, "build");
const emptyProgram = "int main(void) { return 0; }\n";

function memoryTools(): Toolchain {
  const flags = ["-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  return new Toolchain(join(build, "sanitized-memory"), compiler(), flags);
}

function threadTools(): Toolchain {
  // Without function clones: the code that selects one runs before the thread sanitizer is initialised.
  return new Toolchain(join(build, "sanitized-threads"), compiler(), ["-fsanitize=thread", "-DSA_NO_CLONES"]);
}

export interface SanitizedRun {
  readonly name: string;
  readonly passed: boolean;
  /** The command line and its output. */
  readonly report: string;
}

async function sanitizedRun(program: string, ...rest: string[]): Promise<SanitizedRun> {
  return { name: basename(program), ...(await run([program, ...rest])) };
}

/** The sanitizers that the compiler supports. */
export async function sanitizers(): Promise<{ memory: boolean; threads: boolean }> {
  return {
    memory: await memoryTools().works(emptyProgram, true),
    threads: await threadTools().works(emptyProgram, true),
  };
}

function sourcesIn(folder: string, ending: string): string[] {
  const path = join(nativeFolder, folder);
  return readdirSync(path)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(path, name));
}

function keptInputs(target: string): string[] {
  const corpus = join(nativeFolder, "fuzz", "corpus", target);
  return existsSync(corpus) ? readdirSync(corpus).map((name) => join(corpus, name)) : [];
}

/**
 * Builds and runs all programs under the address and undefined-behaviour sanitizers, each fuzz target with `runs`
 * random inputs.
 */
export async function sanitizeMemory(runs: number, seed: number): Promise<SanitizedRun[]> {
  const tools = memoryTools();
  const library = await tools.objects(nativeSources());
  const results: SanitizedRun[] = [];
  for (const source of sourcesIn("tests", "_test.c")) {
    const objects = await tools.objects([source]);
    const program = await tools.program(basename(source, ".c"), [...objects, ...library]);
    results.push(await sanitizedRun(program));
  }
  const driver = join(nativeFolder, "tests", "random_inputs.c");
  for (const source of sourcesIn("fuzz", ".c")) {
    const target = basename(source, ".c");
    const objects = await tools.objects([source, driver]);
    const program = await tools.program(`${target}-inputs`, [...objects, ...library]);
    results.push(await sanitizedRun(program, String(runs), String(seed), ...keptInputs(target)));
  }
  return results;
}

/** The tests with several threads, and the sources that each needs. */
const THREADED: Readonly<Record<string, readonly string[]>> = {
  threads_test: ["arena.c", "filter.c", "sums.c", "decimate.c", "resampler.c"],
  sessions_test: ["session_table.c"],
};

/** Builds and runs the tests of what threads share under the thread sanitizer. */
export async function sanitizeThreads(): Promise<SanitizedRun[]> {
  const tools = threadTools();
  const results: SanitizedRun[] = [];
  for (const [name, needed] of Object.entries(THREADED)) {
    const sources = [...needed, `tests/${name}.c`].map((source) => join(nativeFolder, source));
    results.push(await sanitizedRun(await tools.program(name, await tools.objects(sources))));
  }
  return results;
}

if (import.meta.main) {
  const runs = Number(process.argv[2] ?? 200);
  const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 32));
  const available = await sanitizers();
  const results = [
    ...(available.memory ? await sanitizeMemory(runs, seed) : []),
    ...(available.threads ? await sanitizeThreads() : []),
  ];
  for (const { name, passed, report } of results) console.log(passed ? `passed ${name}` : `FAILED ${report}`);
  if (!available.memory) console.log("the compiler has no address and undefined-behaviour sanitizers");
  if (!available.threads) console.log("the compiler has no thread sanitizer");
  if (results.some(({ passed }) => !passed)) process.exitCode = 1;
}
