import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import { commandLines, untriedFences } from "../support/command-lines.ts";
import { readDocuments, root } from "../support/documents.ts";

/** Time limit of one command line, in seconds; all are much faster. Longer ones stand in `text` fences. */
const LIMIT = 300;

/** Command lines that this test does not run: they run this test, or are tested elsewhere. */
const TRIED_ELSEWHERE: Readonly<Record<string, string>> = {
  "npm test": "runs this test",
  "npm run demo": "tests/integration/demo.test.ts",
  "docker compose up --build": "tests/deploy/compose.test.ts",
};

// tests/examples/readmes.test.ts covers the examples, tests/docs/guide.test.ts the guide.
const documents = (await readDocuments()).filter(({ path }) => !/^(?:examples|docs\/guide)\//.test(path));
const withCommands = documents.filter(({ text }) => commandLines(text).length > 0);

/** A server that runs while the next command lines of the document are tried; the next server replaces it. */
interface Background {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** The whole log, once the server has ended. */
  readonly log: Promise<string>;
  readonly port: string;
}

/** A folder in which the command lines of one document run: the executable, and links to `examples/` and `tests/`. */
class Scratch implements AsyncDisposable {
  readonly folder: string;
  #server: Background | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  static async create(executable: string): Promise<Scratch> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-docs-"));
    await symlink(executable, join(folder, "streamer"));
    for (const name of ["examples", "tests"]) await symlink(join(root, name), join(folder, name));
    return new Scratch(folder);
  }

  /** Runs a command line as a shell would. Rejects with its output if it fails. */
  async type(text: string): Promise<void> {
    if (/^\.\/streamer serve\b(?!.*--print-config)/.test(text)) await this.#serve(text);
    else await this.#run(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await rm(this.folder, { recursive: true });
  }

  async #run(text: string): Promise<void> {
    // With it, everything that the command has started ends, too.
    const child = Bun.spawn(["timeout", "-k", "5", String(LIMIT), "sh", "-c", this.#here(text)], {
      // Commands that build or check the repository run in the repository.
      cwd: /^(?:bun|npm) /.test(text) ? root : this.folder,
      env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, out, err] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code !== 0) throw new Error(`\`${text}\` ended with ${code}\n${out}${err}`);
  }

  async #serve(text: string): Promise<void> {
    await this.#stop();
    const child = Bun.spawn(["sh", "-c", `exec ${text}`], {
      cwd: this.folder,
      // The documents use 8080, which may be taken.
      env: { ...process.env, STREAMER__SERVER__PORT: "0" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const log = new Response(child.stderr).text();
    let said = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += part;
      if (said.includes("\n")) break;
    }
    const port = /^listening on http:\/\/[^\s]+:(\d+)$/m.exec(said)?.[1];
    if (port === undefined) {
      throw new Error(`\`${text}\` said "${said}" and ended with ${await child.exited}\n${await log}`);
    }
    this.#server = { child, log, port };
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.child.kill("SIGTERM");
    const code = await server.child.exited;
    if (code !== 0) throw new Error(`the server ended with ${code} after SIGTERM\n${await server.log}`);
  }

  /** The command line with the port of the running server in place of the default port. */
  #here(text: string): string {
    const port = this.#server?.port;
    if (port === undefined) return text;
    return text
      .replaceAll(":8080", `:${port}`)
      .replace(/^(.*\.\/streamer (?:send|bench))\b(?!.*--addr)/, `$1 --addr localhost:${port}`);
  }
}

describe("documents", () => {
  let executable = "";

  beforeAll(async () => {
    executable = await buildExecutable();
  }, LIMIT * 1_000);

  for (const { path, text: markdown } of withCommands) {
    test(
      `every command line in ${path} succeeds`,
      async () => {
        await using scratch = await Scratch.create(executable);
        for (const { text, line } of commandLines(markdown)) {
          if (text in TRIED_ELSEWHERE) continue;
          await scratch.type(text).catch((error: unknown) => {
            throw new Error(`${path}:${line}`, { cause: error });
          });
        }
      },
      LIMIT * 1_000 * 2,
    );
  }

  test("command lines stand in `sh` fences, which this test runs", () => {
    expect(documents.flatMap(({ text }) => untriedFences(text))).toEqual([]);
    expect(withCommands.length).toBeGreaterThan(4);
  });

  test("the tests that cover the other command lines exist", async () => {
    const manifest: { scripts: Record<string, string> } = await Bun.file(join(root, "package.json")).json();
    expect(manifest.scripts["test"]).toEndWith("scripts/test.ts");
    expect(manifest.scripts["demo"]).toEndWith("scripts/demo.ts");
    for (const where of Object.values(TRIED_ELSEWHERE).filter((text) => text.endsWith(".ts"))) {
      expect(await Bun.file(join(root, where)).exists()).toBe(true);
    }
  });

  test("command lines are read from fences, with continued lines joined and comments omitted", () => {
    const markdown =
      "a\n```sh\n# b\n./streamer send \\\n  -i c.wav\n\nnpm test\n```\n```json\n{}\n```\n```sh\nd\n```\n";
    expect(commandLines(markdown)).toEqual([
      { text: "./streamer send -i c.wav", line: 4 },
      { text: "npm test", line: 7 },
      { text: "d", line: 13 },
    ]);
    expect(commandLines("````md\n```sh\na\n```\n````\n```sh\nb\n```\n")).toEqual([{ text: "b", line: 7 }]);
    expect(untriedFences("```bash\nls\n```\n")).toEqual(["```bash"]);
  });
});
