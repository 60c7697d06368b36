import { test } from "bun:test";

/** Returns the path of an installed program. When it is missing, returns undefined and prints what is not tested. */
export function tool(name: string, debianPackage: string): string | undefined {
  const path = Bun.which(name);
  if (path === null) console.warn(`NOT TRIED: ${name} is missing (Debian: apt-get install ${debianPackage})`);
  return path ?? undefined;
}

/** Returns `test`, or `test.skip` when a needed tool is missing. */
export function testWith(...needed: (string | undefined)[]): typeof test {
  return needed.includes(undefined) ? (test.skip as typeof test) : test;
}

/** Runs a command. `text` is its standard output followed by its standard error. */
export async function output(command: readonly string[], cwd: string): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, text: out + err };
}
