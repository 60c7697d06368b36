import { join } from "node:path";

import { ExamplePackages } from "../../example-packages.ts";

/** Installs the packages of examples/moonshine unless they are there. Returns the path of the model. */
export async function moonshine(root: string): Promise<string> {
  const example = join(root, "examples", "moonshine");
  const problem = await new ExamplePackages(example).install("kept", new AbortController().signal, () => {
    process.stderr.write("guide:plots: installing the speech recogniser of examples/moonshine (60 MB)\n");
  });
  if (problem !== undefined) throw new Error(`the packages of examples/moonshine cannot be installed: ${problem}`);
  return join(example, "model.ts");
}

/** Milliseconds of the load of a model and of its first calls, in a new process. */
export interface CallTimes {
  readonly load: number;
  readonly calls: readonly number[];
}

/** @param seconds of audio of each call, in order */
export async function timeCalls(model: string, seconds: readonly number[]): Promise<CallTimes> {
  const program = join(import.meta.dir, "time-calls.ts");
  const child = Bun.spawn([process.execPath, program, model, seconds.join()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [code, text] = await Promise.all([child.exited, child.stdout.text()]);
  if (code !== 0) throw new Error(`the calls of ${model} failed`);
  return JSON.parse(text) as CallTimes;
}
