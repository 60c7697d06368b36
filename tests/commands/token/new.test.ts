import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseTokenList } from "../../../src/auth/token-list.ts";
import { hashToken } from "../../../src/auth/token.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const root = join(import.meta.dir, "..", "..", "..");
const folders: string[] = [];

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "streamer-token-"));
  folders.push(path);
  return path;
}

afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true });
});

async function tokenNew(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = [process.execPath, "src/main.ts", "token", "new", ...args];
  const child = Bun.spawn(command, { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

describe("token new", () => {
  test("prints the token, then the line for the token file, which has its hash only", async () => {
    const { code, out, err } = await tokenNew("call-center", "--sessions", "100", "--channels", "2", "--models", "a,b");
    expect([code, err]).toEqual([0, ""]);
    const [token = "", line = "", ...rest] = out.split("\n");
    expect(rest).toEqual([""]);
    expect(token).toMatch(/^strm_[A-Za-z0-9_-]{43}$/);
    const hash = hashToken(token).toString("hex");
    expect(line).toBe(`call-center sha256:${hash} sessions=100 channels=2 models=a,b`);
    expect(parseTokenList(line, "file")).toHaveLength(1);
  });

  test("appends the line to a file and prints the token only; a file that it creates is for the user alone", async () => {
    const file = join(await folder(), "tokens");
    const first = await tokenNew("a", "--file", file, "--expires", "2027-06-30");
    const second = await tokenNew("b", "--admin", "--file", file);
    expect([first.code, first.err, second.code, second.err]).toEqual([0, "", 0, ""]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const grants = parseTokenList(await readFile(file, "utf8"), file);
    const hashes = [first, second].map(({ out }) => hashToken(out.trim()).toString("hex"));
    expect(grants.map(({ name, hash, admin }) => ({ name, hash, admin }))).toEqual([
      { name: "a", hash: hashes[0] ?? "", admin: false },
      { name: "b", hash: hashes[1] ?? "", admin: true },
    ]);
  });

  test("begins a line of its own when the file does not end with one", async () => {
    const file = join(await folder(), "tokens");
    await writeFile(file, "# clients");
    await tokenNew("a", "--file", file);
    expect(await readFile(file, "utf8")).toMatch(/^# clients\na sha256:[0-9a-f]{64}\n$/);
  });

  test("leaves a file that is not valid as it is, and names the fault", async () => {
    const file = join(await folder(), "tokens");
    await writeFile(file, "a sha256:1\n");
    const { code, out, err } = await tokenNew("b", "--file", file);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(
      `streamer: ${file}:1: hash: found "sha256:1"; allowed: sha256: and the 64 hex digits of the token's SHA-256\n`,
    );
    expect(await readFile(file, "utf8")).toBe("a sha256:1\n");
  });

  test("names the flag that is not valid, and prints no token", async () => {
    for (const [args, message] of [
      [["a", "--sessions", "0"], '--sessions: found "0"; allowed: a whole number from 1 to 1000000'],
      [
        ["a", "--expires", "soon"],
        '--expires: found "soon"; allowed: a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z',
      ],
      [["a", "--models", "a b"], "--models: found a space; allowed: a value without spaces"],
      [
        ["a", "--admin", "--sessions", "1"],
        "--sessions: has no effect with admin, whose tokens open no sessions; allowed: expires",
      ],
      [
        ["a b"],
        'name: found "a b"; allowed: 1 to 64 letters, digits and . _ @ -, beginning with a letter or digit, and no IP address',
      ],
      [[], "missing name: use streamer token new NAME"],
    ] as const) {
      expect(await tokenNew(...args)).toEqual({ code: 2, out: "", err: `streamer: ${message}\n` });
    }
  });

  test("reports a file that cannot be written", async () => {
    const { code, out, err } = await tokenNew("a", "--file", join(await folder(), "none", "tokens"));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("ENOENT");
  });
});
