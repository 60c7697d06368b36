import { expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");

test("without a C compiler, set-up says in one sentence what to install, and downloads nothing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer set-up "));
  try {
    await mkdir(join(folder, "scripts"));
    for (const path of ["package.json", "bun.lock", "scripts/setup.mjs", "scripts/download-environment.mjs"]) {
      await copyFile(join(root, path), join(folder, path));
    }
    const child = Bun.spawn([process.execPath, join(folder, "scripts", "setup.mjs"), "scripts/test.ts"], {
      cwd: folder,
      env: { PATH: folder, HOME: folder },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    expect(err).toMatch(
      /^set-up failed: No C compiler was found \(looked for cc, gcc, clang\): install gcc or clang [^\n]*\n$/,
    );
    expect({ code, out }).toEqual({ code: 1, out: "0 passed, 1 failed\n" });
    expect(await readdir(folder)).not.toContain("node_modules");
  } finally {
    await rm(folder, { recursive: true });
  }
});
