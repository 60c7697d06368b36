import type { Item, Program } from "./program.ts";

/** Commands, their arguments and flags, and exit codes. The hints and descriptions of flags are texts for people. */
export async function commandItems(program: Program): Promise<Item[]> {
  const failures = [["no-such-command"], ["serve", "--no-such-flag"], ["health", "--addr", "http://127.0.0.1:1"]];
  const codes = failures.map(async (args): Promise<Item> => {
    const { code } = await program.run(args);
    return [`exit code of ${args.join(" ")}`, String(code)];
  });
  return [...(await helpItems(program, [])), ...(await Promise.all(codes))];
}

async function helpItems(program: Program, path: readonly string[]): Promise<Item[]> {
  const { out, code } = await program.run([...path, "--help"]);
  const name = ["command", ...path].join(" ");
  const lines = out.split("\n");
  const flags = lines.flatMap((line) => /^ {2,6}((?:-\w, )?--\S+)/.exec(line)?.[1] ?? []);
  const places = lines.flatMap((line) => /^ +([A-Z]+) {2,}\S/.exec(line)?.[1] ?? []);
  const items = [
    ...flags.map((flag): Item => [`${name} ${flag.replace(/\[?=.*/, "")}`, valueOf(flag)]),
    ...places.map((place): Item => [`${name} ${place}`, "an argument"]),
  ];
  const inner = flags.length > 0 ? [] : lines.flatMap((line) => /^ {2}([a-z]+) {2,}\S/.exec(line)?.[1] ?? []);
  const below = await Promise.all(inner.map((each) => helpItems(program, [...path, each])));
  return [[name, `help ends with ${code}`], ...items, ...below.flat()];
}

/** Whether a flag, as the help writes it, takes a value. */
function valueOf(flag: string): string {
  if (flag.includes("[=<")) return "a value or none";
  return flag.includes("=<") ? "a value" : "no value";
}
