import { join } from "node:path";

/**
 * One named fact about the program, such as `["start.format.channels", "required, type integer, minimum 1, maximum
 * 256"]`.
 */
export type Item = readonly [name: string, text: string];

const root = join(import.meta.dir, "..", "..", "..");

/** The program as it runs from source. */
export const FROM_SOURCE: readonly string[] = [process.execPath, join(root, "src", "main.ts")];

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A build of the program, observed from outside. */
export class Program {
  readonly command: readonly string[];

  constructor(command: readonly string[]) {
    this.command = command;
  }

  spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return Bun.spawn([...this.command, ...args], {
      cwd: root,
      env: { ...env, NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const child = this.spawn(args, env);
    const [code, out, err] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { code, out: Bun.stripANSI(out), err: Bun.stripANSI(err) };
  }
}
