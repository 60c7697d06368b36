import { test } from "bun:test";

/** The path of a program of this machine, or undefined, and then said aloud: what it would have tried was not tried. */
export function tool(name: string, debianPackage: string): string | undefined {
  const path = Bun.which(name);
  if (path === null) console.warn(`NOT TRIED: ${name} is missing (Debian: apt-get install ${debianPackage})`);
  return path ?? undefined;
}

/** `test`, or a test that is counted as skipped when what it needs is missing. */
export function testWith(...needed: (string | undefined)[]): typeof test {
  return needed.includes(undefined) ? (test.skip as typeof test) : test;
}

export async function output(command: readonly string[], cwd: string): Promise<{ code: number; said: string }> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, said: out + err };
}
