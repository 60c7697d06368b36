import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
const folder = join(root, "scripts", "bench");
const names = (await readdir(folder)).filter((name) => name.endsWith(".ts")).map((name) => name.replace(".ts", ""));

async function bench(...args: string[]): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([process.execPath, join(root, "scripts", "bench.ts"), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, text: out + err };
}

test("without a name, or with an unknown one, the benchmarks are listed", async () => {
  for (const args of [[], ["no-such"]]) {
    const { code, text } = await bench(...args);
    expect(code).toBe(2);
    for (const name of names) expect(text).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
  }
  expect((await bench("no-such")).text).toContain("unknown benchmark no-such");
});

test.each(names)("%s says how to run it, and prints the load of the machine", async (name) => {
  const text = await Bun.file(join(folder, `${name}.ts`)).text();
  expect(text).toStartWith("// ");
  expect(text).toMatch(new RegExp(`^//   bun run bench ${name}\\b`, "m"));
  expect(text).toMatch(/^printMachine\(\);$/m);
});
