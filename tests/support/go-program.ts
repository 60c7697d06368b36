import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { root } from "./documents.ts";
import { exclusively } from "./exclusively.ts";
import { reportMissing } from "./requirements.ts";

/** A program and its packages are some 100 MB the first time. */
const INSTALL_MS = 400_000;

/**
 * Builds a program in Go, which is kept between runs. Returns its path; undefined, and printed: it cannot be built.
 * @param module path of its package @param version such as v1.9.3
 */
export async function goProgram(module: string, version: string): Promise<string | undefined> {
  const name = module.slice(module.lastIndexOf("/") + 1);
  const folder = join(root, "node_modules", ".cache", `go-${name}-${version}`);
  const program = join(folder, name);
  return await exclusively(`${folder}.lock`, async () => {
    if (existsSync(program)) return program;
    if (Bun.which("go") === null) {
      reportMissing(`go is not installed, so ${name} cannot be built`);
      return undefined;
    }
    await mkdir(folder, { recursive: true });
    const child = Bun.spawn(["go", "install", `${module}@${version}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: "-mod=mod" },
      ...{ stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: INSTALL_MS, killSignal: "SIGKILL" },
    });
    const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
    if (code === 0) return program;
    reportMissing(`${module}@${version} cannot be built: ${err.trim().split("\n").at(-1) ?? ""}`);
    return undefined;
  });
}
