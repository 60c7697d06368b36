// Coverage-guided fuzzing of the C library with libFuzzer and clang:
//
//   bun scripts/fuzz.ts [SECONDS] [TARGET ...]
//
// Targets are the files of native/fuzz/. Inputs that reach new code are added to native/fuzz/corpus/TARGET; an input
// that fails is written to native/build/fuzz/.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";

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

/** Fuzzes one target for some seconds. `keep` adds inputs that reach new code to the corpus. */
export async function fuzz(target: string, seconds: number, keep: boolean): Promise<Ran> {
  const toolchain = tools();
  const objects = await toolchain.objects([join(nativeFolder, "fuzz", `${target}.c`), ...nativeSources()]);
  const program = await toolchain.program(target, objects, "-fsanitize=fuzzer");
  const corpus = join(nativeFolder, "fuzz", "corpus", target);
  const found = join(build, `${target}-found`);
  rmSync(found, { recursive: true, force: true });
  mkdirSync(found);
  mkdirSync(corpus, { recursive: true });
  const limits = [`-max_total_time=${seconds}`, "-max_len=4096", "-timeout=20", `-artifact_prefix=${build}/${target}-`];
  const result = await run([program, ...limits, found, corpus]);
  if (!keep || !result.passed) return result;
  // Only inputs that reach new code are added. Counting visits too would add hundreds of inputs.
  const merged = await run([program, "-merge=1", "-use_counters=0", corpus, found]);
  if (!merged.passed) return merged;
  return result;
}

if (import.meta.main) {
  const [seconds = "10", ...chosen] = process.argv.slice(2);
  if (!(await canFuzz())) {
    console.error("Fuzzing needs clang with libFuzzer: on Debian and Ubuntu `apt-get install clang libclang-rt-dev`.");
    process.exitCode = 1;
  } else {
    for (const target of chosen.length > 0 ? chosen : fuzzTargets()) {
      const { passed, report } = await fuzz(target, Number(seconds), true);
      console.log(passed ? `${target}: ${report.trimEnd().split("\n").at(-2) ?? ""}` : `${target} FAILED\n${report}`);
      if (!passed) process.exitCode = 1;
    }
  }
}
