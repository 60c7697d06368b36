import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";

import { root } from "./documents.ts";
import { exclusively } from "./exclusively.ts";
import { keptPath } from "./kept.ts";
import { reportMissing } from "./requirements.ts";

/** A program and its packages are some 100 MB the first time. */
const INSTALL_MS = 900_000;

/**
 * Builds a program in Go, which is kept between runs. Returns its path; undefined, and printed: it cannot be built.
 * @param module path of its package @param version such as v1.9.3
 */
export async function goProgram(module: string, version: string): Promise<string | undefined> {
  const name = module.slice(module.lastIndexOf("/") + 1);
  return await kept(name, `go-${name}-${version}`, ["install", `${module}@${version}`]);
}

/** The same for a module in a folder of the project, named by its folder. @param main the package, if it is another's */
export async function goModule(folder: string, main = "."): Promise<string | undefined> {
  const name = basename(folder);
  const hash = new Bun.CryptoHasher("sha256");
  for (const file of (await readdir(folder)).sort()) hash.update(await Bun.file(join(folder, file)).bytes());
  return await kept(
    name,
    `go-${name}-${hash.digest("hex").slice(0, 12)}`,
    ["build", "-trimpath", "-ldflags=-s -w", "-o", name, main],
    folder,
  );
}

async function kept(name: string, key: string, args: readonly string[], cwd = root): Promise<string | undefined> {
  const folder = keptPath(key);
  const program = join(folder, name);
  return await exclusively(`${folder}.lock`, async () => {
    if (existsSync(program)) return program;
    if (Bun.which("go") === null) {
      reportMissing(`go is not installed, so ${name} cannot be built`);
      return undefined;
    }
    await mkdir(folder, { recursive: true });
    const command = ["go", ...args.map((arg) => (arg === name ? program : arg))];
    const child = Bun.spawn(command, {
      env: {
        ...process.env,
        GOBIN: folder,
        GOFLAGS: `-mod=${args[0] === "build" ? "readonly" : "mod"} -buildvcs=false`,
      },
      ...{ cwd, stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: INSTALL_MS, killSignal: "SIGKILL" },
    });
    const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
    if (code === 0) return program;
    reportMissing(`${name} cannot be built (${command.join(" ")}): ${err.trim().split("\n").at(-1) ?? ""}`);
    return undefined;
  });
}
