/** Runs a command to its end. `text` is its standard output and its standard error, one after the other. */
export async function output(command: readonly string[], cwd: string): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, text: out + err };
}
