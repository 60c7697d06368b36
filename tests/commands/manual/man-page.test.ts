import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { manPage } from "../../../src/commands/manual/man-page.ts";
import { manualOf } from "../../../src/commands/manual/manual.ts";
import {
  definition,
  example,
  italic,
  lines,
  literal,
  paragraph,
  prose,
  request,
} from "../../../src/commands/manual/roff.ts";
import { MODEL_SETTINGS, SETTINGS } from "../../../src/config/config.ts";
import { builtInModels, describeModelSettings } from "../../../src/model/models.ts";
import { FROM_SOURCE, Program } from "../../support/surface/program.ts";

const root = join(import.meta.dir, "..", "..", "..");

describe("roff", () => {
  test("text that is typed keeps its characters", () => {
    expect(literal("--set 'a'\\n`b` ^~")).toBe("\\-\\-set \\(aqa\\(aq\\en\\(gab\\(ga \\(ha\\(ti");
    expect(literal("über…")).toBe("\\[u00FC]ber\\[u2026]");
    expect(italic("a|B")).toBe("\\fIa|\\:B\\fR");
  });

  test("prose keeps its marks; what may be typed, or searched for, has no typographic hyphen", () => {
    expect(prose("well-known flags: --help, a_b.c, -; don't")).toBe(
      "well\\-known flags: \\-\\-help, a_b.c, \\-; don't",
    );
  });

  test("no line of text is a request", () => {
    expect(lines(".TH 'x")).toEqual(["\\&.TH 'x"]);
    expect(example(".venv\n'x'")).toEqual([".PP", ".RS 4", ".EX", "\\&.venv", "\\(aqx\\(aq", ".EE", ".RE"]);
    expect(definition(".x", ["'y"])).toEqual([".TP", "\\&.x", "\\&'y"]);
    expect(
      paragraph(`${"word ".repeat(20)}.end`)
        .slice(1)
        .every((line) => line.length <= 78),
    ).toBe(true);
    expect(request("SS", 'a "b"')).toBe('.SS "a ""b"""');
  });
});

const program = new Program(FROM_SOURCE);
const page = (await program.run(["man"])).out;

/** The page without escapes and fonts. */
const text = page
  .replaceAll(/\\f[BIR]|\\:|\\&/g, "")
  .replaceAll("\\-", "-")
  .replaceAll("\\e", "\\");

describe("the manual page", () => {
  test("has the sections of a manual page, in order", () => {
    expect([...page.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title)).toEqual([
      ...["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "SETTINGS", "EXIT STATUS", "ENVIRONMENT", "FILES"],
      ...["EXAMPLES", "SEE ALSO"],
    ]);
    expect(page).toMatch(/^\.TH "STREAMER" "1" "\d{4}-\d\d-\d\d" "streamer \S+" "User Commands"$/m);
  });

  test("has every command with its flags, as its help has", async () => {
    const missing: string[] = [];
    const visit = async (path: readonly string[]): Promise<void> => {
      const { out } = await program.run([...path, "--help"]);
      const inner = /^Commands:\n((?: .*\n)+)/m.exec(out)?.[1];
      const names = [...(inner ?? "").matchAll(/^ {2}(\S+) {2}/gm)].map(([, name = ""]) => name);
      await Promise.all(names.map((name) => visit([...path, name])));
      if (inner !== undefined) return;
      const [, part = ""] = text.split(`.SS "${["streamer", ...path].join(" ")}"\n`);
      const flags = [...out.matchAll(/^ {2,6}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag = ""]) => flag);
      const own = part.split("\n.SS ")[0] ?? "";
      missing.push(...[...flags].filter((flag) => !own.includes(flag)).map((flag) => [...path, flag].join(" ")));
      if (own === "") missing.push(path.join(" "));
    };
    await visit([]);
    expect(missing).toEqual([]);
  });

  test("has every setting", () => {
    const sections = Object.entries(SETTINGS).flatMap(([section, table]) =>
      Object.keys(table).map((key) => `${section}.${key}`),
    );
    const models = [
      ...Object.keys(MODEL_SETTINGS),
      ...builtInModels.flatMap((name) => Object.keys(describeModelSettings(name))),
    ];
    const keys = [...sections, ...models.map((key) => `model.${key}`)];
    expect(keys.length).toBeGreaterThan(120);
    expect(keys.filter((key) => !text.includes(`\n${key}=`))).toEqual([]);
  });

  test("has every command of a tree, also one without more texts", async () => {
    const made = await manPage({
      new: {
        description: "Is new",
        load: async () => ({ args: { fast: { type: "boolean", description: "Be fast" } } }),
      },
    });
    expect(made).toContain(
      '.SS "streamer new"\n\\fBstreamer new\\fR [\\fIFLAGS\\fR]\n.PP\nIs new.\n.TP\n\\fB\\-\\-fast\\fR\nBe fast.\n',
    );
  });

  test("has the exit codes of docs/cli.md", async () => {
    const document = await Bun.file(join(root, "docs", "cli.md")).text();
    const [, table = ""] = /\n## Exit codes\n([\s\S]*?)\n## /.exec(document) ?? [];
    const rows = [...table.matchAll(/^\| (?:`(.*?)`)? *\| (\S+) +\| (.*?) +\|$/gm)];
    let command = "";
    const documented = rows.map(([, name, code = "", meaning = ""]) => {
      command = name ?? command;
      return { command, code, meaning: meaning.replaceAll(/\[([^\]]*)\]\([^)]*\)|`/g, "$1") };
    });
    const names = [...new Set(documented.map((row) => row.command))];
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) {
      const expected = documented.filter((row) => row.command === name).map(({ code, meaning }) => ({ code, meaning }));
      expect({ name, exits: manualOf(name).exits }).toEqual({
        name,
        exits: expected,
      });
    }
  });
});
