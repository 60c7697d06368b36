// Coverage-guided fuzzing of the C library (libFuzzer, clang): `bun scripts/fuzz.ts [SECONDS] [TARGET ...]`.
// A target is a file of native/fuzz/. Inputs that reach new code are kept in native/fuzz/corpus/TARGET; an input that breaks
// something is written to native/build/fuzz/.
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";

import { isNewer, nativeFolder, nativeHeaders, nativeSources, warningFlags } from "./native.ts";

const build = join(nativeFolder, "build", "fuzz");
const flags = [...warningFlags, "-g", "-O2", "-ffp-contract=off", "-pthread", "-fsanitize=fuzzer,address,undefined"];

async function run(command: string[]): Promise<{ passed: boolean; output: string }> {
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
  const output = await new Response(child.stderr).text();
  return { passed: (await child.exited) === 0, output };
}

/** The names of all targets. */
export function fuzzTargets(): string[] {
  return readdirSync(join(nativeFolder, "fuzz"))
    .filter((name) => name.endsWith(".c"))
    .map((name) => basename(name, ".c"))
    .sort();
}

/** Whether clang is here with libFuzzer. */
export async function canFuzz(): Promise<boolean> {
  if (!Bun.which("clang")) return false;
  mkdirSync(build, { recursive: true });
  const probe = join(build, "probe.c");
  await Bun.write(
    probe,
    "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d == 0 && n > 0; }\n",
  );
  return (await run(["clang", ...flags, "-o", join(build, "probe"), probe])).passed;
}

/** Fuzzes one target for some seconds. `keep` adds what was found to the corpus, made as small as it can be. */
export async function fuzz(
  target: string,
  seconds: number,
  keep: boolean,
): Promise<{ passed: boolean; output: string }> {
  mkdirSync(build, { recursive: true });
  const program = join(build, target);
  const sources = [join(nativeFolder, "fuzz", `${target}.c`), ...nativeSources()];
  if (!isNewer(program, [...sources, ...nativeHeaders(), import.meta.path])) {
    const built = await run(["clang", ...flags, "-o", program, ...sources, "-lm"]);
    if (!built.passed) return built;
  }
  const corpus = join(nativeFolder, "fuzz", "corpus", target);
  const found = join(build, `${target}-found`);
  rmSync(found, { recursive: true, force: true });
  mkdirSync(found);
  mkdirSync(corpus, { recursive: true });
  const limits = [`-max_total_time=${seconds}`, "-max_len=4096", "-timeout=20", `-artifact_prefix=${build}/${target}-`];
  const result = await run([program, ...limits, found, corpus]);
  if (!keep || !result.passed) return result;
  const smallest = join(build, `${target}-smallest`);
  rmSync(smallest, { recursive: true, force: true });
  mkdirSync(smallest);
  const merged = await run([program, "-merge=1", "-use_counters=0", smallest, corpus, found]);
  if (!merged.passed) return merged;
  rmSync(corpus, { recursive: true });
  renameSync(smallest, corpus);
  return result;
}

if (import.meta.main) {
  const [seconds = "10", ...chosen] = process.argv.slice(2);
  if (!(await canFuzz())) {
    console.error("Fuzzing needs clang with libFuzzer: on Debian and Ubuntu `apt-get install clang libclang-rt-dev`.");
    process.exitCode = 1;
  } else {
    for (const target of chosen.length > 0 ? chosen : fuzzTargets()) {
      const { passed, output } = await fuzz(target, Number(seconds), true);
      console.log(passed ? `${target}: ${output.trimEnd().split("\n").at(-1) ?? ""}` : `${target} FAILED\n${output}`);
      if (!passed) process.exitCode = 1;
    }
  }
}
