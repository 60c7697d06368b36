import { afterAll, expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compiler, warningFlags } from "../../../scripts/native.ts";
import { root, run } from "../../../scripts/release/command.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

const folder = mkdtempSync(join(tmpdir(), "release-cpu-"));
afterAll(() => rmSync(folder, { recursive: true }));

/* Bits of libgcc, which the resolvers of kernels read. */
const BITS = { avx2: 1 << 10, avx512f: 1 << 15 };

const x64 = process.arch === "x64" || undefined;
if (x64 === undefined) reportMissing("an x64 processor, for the choice of its kernels");

testWith(x64)("the C library of a release finds the processor features that the kernel reports", async () => {
  const main = join(folder, "main.c");
  writeFileSync(
    main,
    `#include <stdio.h>
     extern struct { unsigned vendor, type, subtype, features[1]; } __cpu_model;
     extern int __cpu_indicator_init(void);
     int main(void) { __cpu_indicator_init(); printf("%u", __cpu_model.features[0]); return 0; }`,
  );
  const program = join(folder, "main");
  await run([...compiler(), ...warningFlags, "-o", program, main, join(root, "scripts", "release", "cpu_model.c")]);
  const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
  const expected = Object.entries(BITS).map(([name, bit]) => (flags.split(" ").includes(name) ? bit : 0));
  expect(Number(await run([program]))).toBe(expected.reduce((all, bit) => all | bit));
});
