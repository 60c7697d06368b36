// The language servers of editors, unmodified, on configuration files with the schema of the program, connected as
// docs/cli.md says.

import { beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";

import { root } from "../../support/documents.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { linesOf } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";
import { FROM_SOURCE, Program } from "../../support/surface/program.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const node = Bun.which("node") ?? undefined;
const folder = await installedPackages(join(root, "tests", "suites", "interop", "editors"), "interop-editors");
const schemaFile = join(folder ?? "", "streamer.schema.json");

/** What an editor shows in a document. */
interface Shown {
  readonly problems: readonly string[];
  readonly completions: readonly string[];
  readonly hover?: string;
}

beforeAll(async () => {
  if (folder !== undefined) await Bun.write(schemaFile, (await new Program(FROM_SOURCE).run(["config", "schema"])).out);
});

describe("VS Code", () => {
  const connected = (fields: string) => `{"$schema":"./streamer.schema.json",${fields}}`;

  testWith(node, folder)("checks and completes JSON", async () => {
    const documents = [
      connected(`"server":{"port":8080,"console":false},"log":{"level":"WARN"},"model":{"name":"./a.py","b":1}`),
      connected(`"server":{"port":99999,"prt":1},"log":{"level":"loud"},"model":{"name":"remote"}`),
      connected(`"limits":{"max_se|ssions":1}`),
      connected(`"log":{"level":"|"}`),
      connected(`"model":{"name":"denoise","|"}`),
    ];
    const command = ["node", "json-editor.mjs", schemaFile, JSON.stringify(documents)];
    const [good, bad, hover, level, own] = await linesOf<Shown>(command, { cwd: folder ?? "" });
    expect(good?.problems).toEqual([]);
    expect(bad?.problems.toSorted()).toEqual([
      'Missing property "model".',
      'Missing property "urls".',
      "Property prt is not allowed.",
      "Value is above the maximum of 65535.",
      'Value is not accepted. Valid values: "debug", "info", "warning", "error".',
    ]);
    expect(hover?.hover).toContain("Most sessions open at a time");
    expect(level?.completions).toEqual(['"info"', '"debug"', '"warning"', '"error"', "null"]);
    expect(own?.completions).toContain("reduction_db");
    expect(own?.completions).toContain("workers");
    expect(own?.completions).not.toContain("delay");
  });

  testWith(node, folder)("checks and completes YAML", async () => {
    const first = "# yaml-language-server: $schema=./streamer.schema.json\n";
    const documents = [
      `${first}server: {port: 8080, hosts: ["*.example"]}\nmodel:\n  name: ./a.py\n  b: {c: 1}\nlimits:\n`,
      `${first}server:\n  port: 99999\n  prt: 1\n`,
      `${first}limits:\n  max_sess|\n`,
    ];
    const command = ["node", "yaml-editor.mjs", JSON.stringify(documents)];
    const [good, bad, keys] = await linesOf<Shown>(command, { cwd: folder ?? "" });
    expect(good?.problems).toEqual([]);
    expect(bad?.problems.toSorted()).toEqual(["Property prt is not allowed.", "Value is above the maximum of 65535."]);
    expect(keys?.completions).toContain("max_sessions");
  });
});

testWith(node, folder)("Taplo checks TOML, whichever way a file names the schema", async () => {
  const files = {
    "good.toml": "#:schema ./streamer.schema.json\n[server]\nport = 8080\n[limits.admission]\nload = 0.5\n",
    "bad-1.toml": '#:schema ./streamer.schema.json\n[log]\nlevel = "loud"\n',
    "bad-2.toml": '"$schema" = "./streamer.schema.json"\n[server]\nprt = 1\n',
  };
  for (const [name, text] of Object.entries(files)) await Bun.write(join(folder ?? "", name), text);
  const child = Bun.spawn(["node", "node_modules/@taplo/cli/dist/cli.js", "check", ...Object.keys(files)], {
    cwd: folder ?? "",
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect(code).not.toBe(0);
  expect(err).toContain('"loud" is not valid');
  expect(err).toContain("'prt' was unexpected");
  expect(err).not.toContain("good.toml");
});
