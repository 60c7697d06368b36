// Runs the C library under the address, undefined-behaviour and thread sanitizers: `bun scripts/native-sanitize.ts [RUNS]`.
// Programs are the tests in native/tests/ and, on kept and random inputs, the fuzz targets in native/fuzz/.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { compiler, isNewer, nativeFolder, nativeHeaders, nativeSources, warningFlags } from "./native.ts";

const build = join(nativeFolder, "build", "sanitized");
const common = [...warningFlags, "-g", "-O2", "-ffp-contract=off", "-fno-omit-frame-pointer", "-pthread"];
const memory = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
// The choice of a clone runs before the thread sanitizer is ready, so there are none.
const threads = ["-fsanitize=thread", "-DSA_NO_CLONES"];

export interface SanitizedRun {
  readonly name: string;
  readonly passed: boolean;
  /** The command and what it said: enough to repeat it. */
  readonly report: string;
}

async function run(command: string[]): Promise<SanitizedRun> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [code, output, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const report = `${command.join(" ")}\n${output}${errors}exit ${code}`;
  return { name: basename(command[0] ?? ""), passed: code === 0, report };
}

async function compile(output: string, sources: string[], flags: string[]): Promise<void> {
  if (isNewer(output, [...sources, ...nativeHeaders(), import.meta.path])) return;
  const result = await run([...compiler(), ...common, ...flags, "-o", output, ...sources, "-lm"]);
  if (!result.passed) throw new Error(result.report);
}

/** Whether the compiler can build and run programs with these sanitizers. */
async function works(name: string, flags: string[]): Promise<boolean> {
  const source = join(build, `${name}-probe.c`);
  const program = join(build, `${name}-probe`);
  rmSync(program, { force: true });
  writeFileSync(source, "int main(void) { return 0; }\n");
  const built = await run([...compiler(), ...flags, "-o", program, source]);
  return built.passed && (await run([program])).passed;
}

/** Which sanitizers this compiler has. */
export async function sanitizers(): Promise<{ memory: boolean; threads: boolean }> {
  mkdirSync(build, { recursive: true });
  return { memory: await works("memory", memory), threads: await works("threads", threads) };
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

/** Builds and runs everything under the address and undefined-behaviour sanitizers; `runs` random inputs to a fuzz target. */
export async function sanitizeMemory(runs: number, seed: number): Promise<SanitizedRun[]> {
  const objects = nativeSources().map((source) => ({ source, object: join(build, `${basename(source, ".c")}.o`) }));
  await Promise.all(objects.map(({ source, object }) => compile(object, [source], [...memory, "-c"])));
  const library = objects.map(({ object }) => object);
  const results: SanitizedRun[] = [];
  for (const source of sourcesIn("tests", "_test.c")) {
    const program = join(build, basename(source, ".c"));
    await compile(program, [source, ...library], memory);
    results.push(await run([program]));
  }
  const driver = join(nativeFolder, "tests", "random_inputs.c");
  for (const source of sourcesIn("fuzz", ".c")) {
    const target = basename(source, ".c");
    const program = join(build, `${target}_inputs`);
    await compile(program, [source, driver, ...library], memory);
    results.push(await run([program, String(runs), String(seed), ...keptInputs(target)]));
  }
  return results;
}

/** Builds and runs the test of what threads share under the thread sanitizer. */
export async function sanitizeThreads(): Promise<SanitizedRun[]> {
  const program = join(build, "threads_test_threads");
  const sources = ["filter.c", "sums.c", "resampler.c", "tests/threads_test.c"].map((name) => join(nativeFolder, name));
  await compile(program, sources, threads);
  return [await run([program])];
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
