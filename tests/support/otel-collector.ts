import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { root } from "./documents.ts";
import { exclusively } from "./exclusively.ts";
import { goProgram } from "./go-program.ts";
import { keptPath } from "./kept.ts";
import { reportMissing } from "./requirements.ts";

const BUILD_MS = 900_000;

/** Builds an OpenTelemetry Collector, which is kept between runs. Its path; undefined, and printed: it cannot be built. */
export async function otelCollector(): Promise<string | undefined> {
  const definition = join(root, "tests", "suites", "interop", "instruments", "otelcol.yaml");
  const hash = new Bun.CryptoHasher("sha256").update(await Bun.file(definition).bytes()).digest("hex");
  const folder = keptPath(`otelcol-${hash.slice(0, 12)}`);
  const program = join(folder, "otelcol");
  return await exclusively(`${folder}.lock`, async () => {
    if (existsSync(program)) return program;
    const builder = await goProgram("go.opentelemetry.io/collector/cmd/builder", "v0.165.0");
    if (builder === undefined) return undefined;
    await mkdir(folder, { recursive: true });
    const config = join(folder, "builder.yaml");
    const text = await Bun.file(definition).text();
    await Bun.write(config, text.replace("dist:\n", `dist:\n  output_path: ${JSON.stringify(folder)}\n`));
    const child = Bun.spawn([builder, "--config", config], {
      env: { ...process.env, GOFLAGS: "-mod=mod -buildvcs=false", CGO_ENABLED: "0" },
      ...{ cwd: folder, stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: BUILD_MS, killSignal: "SIGKILL" },
    });
    const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
    if (code === 0) return program;
    reportMissing(`the OpenTelemetry Collector cannot be built: ${err.trim().split("\n").at(-1) ?? ""}`);
    return undefined;
  });
}
