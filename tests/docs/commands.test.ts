import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import { commandLines, untriedFences } from "../support/command-lines.ts";

const root = join(import.meta.dir, "..", "..");

/** Longest time that one command line may take; none comes near it. */
const LIMIT_MS = 120_000;

/** What a reader types but a test must not: these run this very test, or set up what it runs on. */
const TRIED_ELSEWHERE: Readonly<Record<string, string>> = {
  "npm test": "runs this test",
  "bun test": "runs this test",
  "bun install": "has been run before this test",
  "bun fmt --check": "scripts/test.ts",
  "bun check": "scripts/test.ts",
  "npm run demo": "tests/integration/demo.test.ts",
  "docker compose up --build": "tests/deploy/compose.test.ts",
};

const documents = [
  "README.md",
  ...(await readdir(join(root, "docs"), { recursive: true }))
    .filter((path) => path.endsWith(".md"))
    .sort()
    .map((path) => `docs/${path}`),
];

/** A server that goes on while the document's next command lines are tried; the next server takes its place. */
interface Background {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** What it has logged, when it has ended. */
  readonly log: Promise<string>;
  readonly port: string;
}

/** Where a document's command lines are typed: the executable, and beside it what the repository offers its readers. */
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

  /** Runs a command line as a shell would. Rejects, with what it said, when it fails. */
  async type(text: string): Promise<void> {
    if (/^\.\/streamer serve\b(?!.*--print-config)/.test(text)) await this.#serve(text);
    else await this.#run(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await rm(this.folder, { recursive: true });
  }

  async #run(text: string): Promise<void> {
    const child = Bun.spawn(["sh", "-c", this.#here(text)], {
      // What builds or checks the repository is typed in the repository.
      cwd: /^(?:bun|npm) /.test(text) ? root : this.folder,
      env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: LIMIT_MS,
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
      // The documents say 8080; somebody else may have it.
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

  /** The command line with the port that the server here has, in place of the default one. */
  #here(text: string): string {
    const port = this.#server?.port;
    if (port === undefined) return text;
    return text
      .replaceAll(":8080", `:${port}`)
      .replace(/^(.*\.\/streamer send)\b(?!.*--addr)/, `$1 --addr ws://localhost:${port}/api/v1/segmented`);
  }
}

describe("documents", () => {
  let executable = "";

  beforeAll(async () => {
    executable = await buildExecutable();
  }, LIMIT_MS);

  for (const document of documents) {
    test(
      `every command line of ${document} does what it says`,
      async () => {
        const markdown = await Bun.file(join(root, document)).text();
        expect(untriedFences(markdown)).toEqual([]);
        await using scratch = await Scratch.create(executable);
        for (const { text, line } of commandLines(markdown)) {
          if (text in TRIED_ELSEWHERE) continue;
          await scratch.type(text).catch((error: unknown) => {
            throw new Error(`${document}:${line}`, { cause: error });
          });
        }
      },
      LIMIT_MS * 2,
    );
  }

  test("what is tried elsewhere exists", async () => {
    const manifest: { scripts: Record<string, string> } = await Bun.file(join(root, "package.json")).json();
    expect(manifest.scripts["test"]).toEndWith("scripts/test.ts");
    expect(manifest.scripts["demo"]).toEndWith("scripts/demo.ts");
    for (const where of Object.values(TRIED_ELSEWHERE).filter((text) => text.endsWith(".ts"))) {
      expect(await Bun.file(join(root, where)).exists()).toBe(true);
    }
  });

  test("a fence's command lines are found, joined where they are continued, comments left out", () => {
    const markdown =
      "a\n```sh\n# b\n./streamer send \\\n  -i c.wav\n\nnpm test\n```\n```json\n{}\n```\n```sh\nd\n```\n";
    expect(commandLines(markdown)).toEqual([
      { text: "./streamer send -i c.wav", line: 4 },
      { text: "npm test", line: 7 },
      { text: "d", line: 13 },
    ]);
    expect(untriedFences("```bash\nls\n```\n")).toEqual(["```bash"]);
  });
});
