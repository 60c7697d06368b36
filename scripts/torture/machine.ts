// The machine and the commit that a table belongs to.

import { cpus, loadavg, totalmem } from "node:os";

/** The commit of a working copy, as a table names it. Changes of pages alone leave what is tested as it was. */
export async function commitOf(root: string): Promise<string> {
  const git = async (...args: string[]): Promise<string> => {
    return (await Bun.$`git ${args}`.cwd(root).nothrow().quiet().text()).trim();
  };
  const commit = (await git("rev-parse", "--short", "HEAD")) || "unknown";
  const changed = (await git("status", "--porcelain", "--", ".", ":!docs")) !== "";
  return `commit ${commit}${changed ? " with changes" : ""}`;
}

export function machine(): string {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${cpu?.model.trim() ?? "unknown"}, ${gib} GiB`;
}

/** Processes that ran or waited for a processor in the last minute, on average. */
export function load(): number {
  return loadavg()[0] ?? 0;
}
