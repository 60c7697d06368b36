import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TokenFile } from "../../src/auth/token-file.ts";
import { TokenListError } from "../../src/auth/token-list.ts";
import { hashToken } from "../../src/auth/token.ts";

const line = (name: string) => `${name} sha256:${hashToken(name).toString("hex")}\n`;

let folder: string;
let path: string;
let events: [level: string, event: string, fields: Readonly<Record<string, unknown>>][];

const log = {
  info: (event: string, fields = {}) => void events.push(["info", event, fields]),
  warn: (event: string, fields = {}) => void events.push(["warn", event, fields]),
  error: (event: string, fields = {}) => void events.push(["error", event, fields]),
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-tokens-"));
  path = join(folder, "tokens");
  events = [];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(text: string, to = path): Promise<void> {
  await writeFile(to, text, { mode: 0o600 });
}

const namesOf = (file: TokenFile): string[] => Array.from(file.tokens.grants, ({ name }) => name);

/** Looks at the file as often as it takes to handle a change that was made before. Returns how often it was read. */
async function look(file: TokenFile): Promise<number> {
  let loads = 0;
  for (let looks = 0; looks < 3; looks++) if (await file.check()) loads += 1;
  return loads;
}

function problems(open: () => TokenFile): readonly string[] {
  try {
    open();
  } catch (error) {
    if (error instanceof TokenListError) return error.problems;
  }
  return [];
}

describe("a token file that changes", () => {
  test("is read again when it is written in place, and not otherwise", async () => {
    await write(line("a"));
    const file = new TokenFile({ path, log });
    expect(await look(file)).toBe(0);
    await write(line("a") + line("b"));
    expect(await look(file)).toBe(1);
    expect(await look(file)).toBe(0);
    expect(namesOf(file)).toEqual(["a", "b"]);
    expect(events).toEqual([["info", "token_file_loaded", { file: path, valid: 2, added: 1, removed: 0 }]]);
  });

  test("is read again when another file takes its place, as editors and atomic writers do", async () => {
    await write(line("a"));
    const file = new TokenFile({ path, log });
    await write(line("b"), `${path}.new`);
    await rename(`${path}.new`, path);
    expect(await look(file)).toBe(1);
    expect(namesOf(file)).toEqual(["b"]);
    expect(events.at(-1)?.[2]).toMatchObject({ added: 1, removed: 1 });
  });

  test("is read again when a symbolic link in its path gets another target, as in Kubernetes", async () => {
    for (const [version, name] of [
      ["..1", "a"],
      ["..2", "b"],
    ] as const) {
      await mkdir(join(folder, version));
      await write(line(name), join(folder, version, "tokens"));
    }
    await symlink("..1", join(folder, "..data"));
    await symlink("..data/tokens", path);
    const file = new TokenFile({ path, log });
    expect(namesOf(file)).toEqual(["a"]);
    await symlink("..2", join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    expect(await look(file)).toBe(1);
    expect(namesOf(file)).toEqual(["b"]);
  });

  test("that is deleted keeps its tokens, which is reported once, and is read when it is back", async () => {
    await write(line("a"));
    const file = new TokenFile({ path, log });
    await rm(path);
    expect(await look(file)).toBe(0);
    expect(await look(file)).toBe(0);
    expect(namesOf(file)).toEqual(["a"]);
    expect(events).toEqual([
      [
        "error",
        "token_file_refused",
        { file: path, problems: [expect.stringMatching(/cannot be read: ENOENT/)], kept: 1 },
      ],
    ]);
    await write(line("b"));
    expect(await look(file)).toBe(1);
    expect(namesOf(file)).toEqual(["b"]);
  });

  test("that is broken keeps its tokens and names the fault, and is read when it is mended", async () => {
    await write(line("a"));
    const file = new TokenFile({ path, log });
    await write(`${line("a")}b sha256:1\n`);
    expect(await look(file)).toBe(0);
    expect(namesOf(file)).toEqual(["a"]);
    expect(events.map(([level, event, fields]) => [level, event, fields["problems"]])).toEqual([
      ["error", "token_file_refused", [expect.stringMatching(/tokens:2: hash: found "sha256:1"; allowed: /)]],
    ]);
    await write(line("c"));
    expect(await look(file)).toBe(1);
    expect(namesOf(file)).toEqual(["c"]);
  });

  test("is read only when it is the same at two looks: an editor may be writing it", async () => {
    await write(line("a"));
    const file = new TokenFile({ path, log });
    await write("");
    expect(await file.check()).toBe(false);
    await write(line("a") + line("b"));
    expect(await file.check()).toBe(false);
    expect(namesOf(file)).toEqual(["a"]);
    expect(await file.check()).toBe(true);
    expect(namesOf(file)).toEqual(["a", "b"]);
  });

  test("that has no token any more is accepted with a warning: all were removed", async () => {
    await write(line("a"));
    const file = new TokenFile({ path, log });
    await write("# none\n");
    expect(await look(file)).toBe(1);
    expect(namesOf(file)).toEqual([]);
    expect(events.map(([level, event]) => [level, event])).toEqual([
      ["warn", "token_file_warning"],
      ["info", "token_file_loaded"],
    ]);
  });
});

describe("a token file", () => {
  test("that cannot be read or is no file is refused with its name", async () => {
    expect(problems(() => new TokenFile({ path, log }))).toEqual([
      expect.stringMatching(/tokens: cannot be read: ENOENT/),
    ]);
    expect(problems(() => new TokenFile({ path: folder, log }))).toEqual([
      `${folder}: found no regular file; allowed: a text file`,
    ]);
    expect(problems(() => new TokenFile({ path: "/dev/null", log }))).toEqual([
      "/dev/null: found no regular file; allowed: a text file",
    ]);
  });

  test("that every user may write is refused, one that every user may read gives a warning", async () => {
    await write(line("a"));
    await chmod(path, 0o602);
    expect(problems(() => new TokenFile({ path, log }))).toEqual([
      `${path}: found mode 0602, so that every user could add a token; allowed: chmod o-w`,
    ]);
    await chmod(path, 0o644);
    expect(namesOf(new TokenFile({ path, log }))).toEqual(["a"]);
    // Its folder keeps others from it.
    expect(events).toEqual([]);
    await chmod(folder, 0o755);
    expect(namesOf(new TokenFile({ path, log }))).toEqual(["a"]);
    const message = `${path}: found mode 0644, so that every user can read it; better: chmod o-r`;
    expect(events).toEqual([["warn", "token_file_warning", { message }]]);
  });

  test("of more than 4 MiB is refused", async () => {
    await write("#".repeat(4 * 1024 * 1024 + 1));
    expect(problems(() => new TokenFile({ path, log }))).toEqual([
      `${path}: found 4194305 bytes; allowed: at most 4194304`,
    ]);
  });

  test("that is broken when a process starts is replaced by the text that others use", async () => {
    await write("broken\n");
    const file = new TokenFile({ path, log, known: line("a") });
    expect(namesOf(file)).toEqual(["a"]);
    expect(events.map(([level, event]) => [level, event])).toEqual([["error", "token_file_refused"]]);
    await write(line("b"));
    await look(file);
    expect(namesOf(file)).toEqual(["b"]);
  });
});
