// Programs that a release runs.

import { resolve } from "node:path";

export const root = resolve(import.meta.dir, "..", "..");

interface RunOptions {
  readonly cwd?: string;
  /** All variables of the program; without it those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. Returns its output. Throws a sentence with its errors when it fails. */
export async function run(command: readonly string[], { cwd = root, env }: RunOptions = {}): Promise<string> {
  const [program = ""] = command;
  if (Bun.which(program) === null) throw new Error(`${program} was not found: a release needs it.`);
  const child = Bun.spawn([...command], {
    cwd,
    env: env ?? process.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  if (code !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${code}:\n${err.trim() || out.trim()}`);
  return out;
}
