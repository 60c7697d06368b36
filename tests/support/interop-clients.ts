// Clients of other services, unmodified, in processes of their own.

import { join } from "node:path";

import { root } from "./documents.ts";
import { pythonPackages } from "./python-packages.ts";

/** Where the programs are that drive them. */
export const clients = join(root, "tests", "suites", "interop", "clients");

/** A folder with the SDKs for Python of `requirements.txt`. Undefined, and printed: they cannot be installed. */
export async function pythonClients(): Promise<string | undefined> {
  return await pythonPackages(await Bun.file(join(clients, "requirements.txt")).text());
}

/** The same with LiveKit Agents and its plug-ins (0.4 GB). */
export async function livekit(): Promise<string | undefined> {
  return await pythonPackages(await Bun.file(join(clients, "livekit.txt")).text(), true);
}

/** The same with Pipecat (0.5 GB). */
export async function pipecat(): Promise<string | undefined> {
  return await pythonPackages(await Bun.file(join(clients, "pipecat.txt")).text());
}

/**
 * What a client has printed: lines of JSON.
 * @throws Error when it has printed nothing, with what it said on stderr
 */
export async function linesOf<Line>(command: readonly string[], options: ClientProcess = {}): Promise<Line[]> {
  const { env, cwd = root, mayFail = true } = options;
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    cwd,
    env: { ...process.env, ...env },
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const lines = out.split("\n").filter(Boolean);
  if (lines.length === 0) throw new Error(`${command[0]} has printed nothing: ${err}`);
  if (code !== 0 && !mayFail) throw new Error(`${command[0]} ended with ${code}: ${err}`);
  return lines.map((line) => JSON.parse(line) as Line);
}

export interface ClientProcess {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the root of the repository. */
  readonly cwd?: string;
  /** Default: true. False: an exit code but 0 is an error. */
  readonly mayFail?: boolean;
}
