import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { sharedExecutable } from "../../support/executable.ts";
import { loggedBy } from "../../support/processes.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Longer than Bun lets a connection be idle by default. */
const LOAD_MS = 13_000;

const executable = await sharedExecutable();

/** Reloads a model that takes its time, at this address for operators. Returns the status of the answer. */
async function reloadSlowly(admin: string, file: string): Promise<number> {
  const path = join(executable.folder, file);
  const write = async (load: string): Promise<void> => {
    const text = `load: async () => { ${load}; return { infer: () => ({}) }; }`;
    await writeFile(path, `export default { name: "slow", ${text} };`);
  };
  await write("");
  const settings = { "model.name": path, "model.workers": 1, "server.admin": admin, "log.format": "json" };
  await using server = await executable.serve(settings);
  const [ready] = await loggedBy(server, "ready");
  await write(`await Bun.sleep(${LOAD_MS})`);
  const isUnix = admin.startsWith("unix:");
  const unix = isUnix ? { unix: join(executable.folder, admin.slice("unix:".length)) } : {};
  const url = isUnix ? "http://localhost" : String(ready?.["admin"]);
  const response = await fetch(`${url}/api/v1/reload`, { method: "POST", ...unix });
  expect(await response.json()).toMatchObject({ models: [{ result: "loaded", generation: 2 }] });
  return response.status;
}

test("a reload that takes longer than an idle connection lasts is answered, by TCP and by a Unix socket", async () => {
  const both = [reloadSlowly("127.0.0.1:0", "tcp.ts"), reloadSlowly("unix:admin.sock", "unix.ts")];
  expect(await Promise.all(both)).toEqual([200, 200]);
});
