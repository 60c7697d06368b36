// Tools that read AsyncAPI and OpenAPI documents, unmodified, on those in docs/.

import { beforeAll, expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";

import { root } from "../../support/documents.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { linesOf } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

interface Found {
  readonly tool: string;
  readonly problems: readonly string[];
}

/** A program that uses the types of the routes, where they would be wrong if a name or a constant were missing. */
const PROGRAM = `
import type { components, operations, paths } from "./routes.ts";

type Schemas = components["schemas"];
type Refusal = paths["/api/v1/ready"]["get"]["responses"]["503"]["content"]["application/json"];
type Result = operations["reloadModels"]["responses"]["200"]["content"]["application/json"]["models"][number]["result"];

export const refusal: Refusal = { type: "error", code: "not_ready", message: "", fatal: true };
export const results: readonly Result[] = ["loaded", "failed", "refused"];
export const channels = (info: Schemas["Info"]): number => info.limits?.max_channels ?? 0;
export function textOf(event: Schemas["TranscriptionEvent"]): string {
  return event.type === "transcript.text.delta" ? event.delta : event.text;
}
// @ts-expect-error: no such kind of result
export const wrong: Result = "other";
`;

const node = Bun.which("node") ?? undefined;
const folder = await installedPackages(join(root, "tests", "suites", "interop", "api-tools"), "interop-api-tools");
const run = testWith(node, folder);
const found = new Map<string, readonly string[]>();

beforeAll(async () => {
  if (node === undefined || folder === undefined) return;
  const documents = ["asyncapi.json", "openapi.json"].map((name) => join(root, "docs", name));
  const command = [node, "check.mjs", ...documents, join(folder, "routes.ts")];
  for (const { tool, problems } of await linesOf<Found>(command, { cwd: folder, mayFail: false })) {
    found.set(tool, problems);
  }
});

run("the parser of AsyncAPI finds nothing but that there is a newer version", () => {
  expect(found.get("parser")).toEqual(["asyncapi-latest-version asyncapi"]);
});

run("the linter of Redocly finds nothing but upgrades, which have no status 2xx", () => {
  const others = found.get("lint")?.filter((problem) => !problem.startsWith("operation-2xx-response "));
  expect(others).toEqual([]);
});

run("openapi-typescript makes types that compile, with a name for each body", async () => {
  await Bun.write(join(folder!, "program.ts"), PROGRAM);
  const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022", "--allowImportingTsExtensions"];
  const compiler = join(root, "node_modules", ".bin", "tsc");
  const child = Bun.spawn([compiler, ...options, "--ignoreConfig", "--types", "", "program.ts"], {
    cwd: folder!,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  expect([code, out, err]).toEqual([0, "", ""]);
});
