import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { takeToken, TOKEN_FLAGS, tokenWarning } from "../../../src/commands/terminal/client-token.ts";
import { UsageError } from "../../../src/commands/terminal/exit-codes.ts";
import { parseFlags } from "../../../src/commands/terminal/flags.ts";

const folder = mkdtempSync(join(tmpdir(), "streamer-client-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

const URL_HERE = new URL("ws://localhost/");

function take(args: readonly string[], env: Record<string, string> = {}, url = URL_HERE): string | undefined {
  return takeToken(parseFlags(args, TOKEN_FLAGS), url, env);
}

function problem(args: readonly string[], env: Record<string, string> = {}, url = URL_HERE): string {
  try {
    take(args, env, url);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
  }
  return "no problem";
}

function file(text: string): string {
  const path = join(folder, "token");
  writeFileSync(path, text);
  return path;
}

describe("the token of a client", () => {
  test("comes from --token, --token-file or STREAMER_TOKEN, the environment last", () => {
    expect(take([])).toBeUndefined();
    expect(take([], { STREAMER_TOKEN: "" })).toBeUndefined();
    expect(take([], { STREAMER_TOKEN: "abc" })).toBe("abc");
    expect(take(["--token", "def"], { STREAMER_TOKEN: "abc" })).toBe("def");
    expect(take(["--token-file", file("ghi\n")], { STREAMER_TOKEN: "abc" })).toBe("ghi");
  });

  test("is removed from the environment, whatever it comes from, so that no other program inherits it", () => {
    for (const args of [[], ["--token", "def"]]) {
      const env = { STREAMER_TOKEN: "abc", PATH: "/bin" };
      take(args, env);
      expect(env as Record<string, string>).toEqual({ PATH: "/bin" });
    }
  });

  test("that cannot stand in a header is refused without being shown", () => {
    const allowed = "allowed: 1 to 4096 printable ASCII characters without spaces";
    const found = "found 8 characters, some of which a token cannot have";
    expect(problem(["--token", "s3cret\nx"])).toBe(`--token: ${found}; ${allowed}`);
    expect(problem([], { STREAMER_TOKEN: "s3cret x" })).toBe(
      `environment variable STREAMER_TOKEN: ${found}; ${allowed}`,
    );
    expect(problem(["--token-file", file("s3cret\nx\n")])).toBe(
      `--token-file ${join(folder, "token")}: ${found}; ${allowed}`,
    );
    expect(problem(["--token-file", file("")])).toEndWith(`found nothing; ${allowed}`);
    expect(problem(["--token", "x".repeat(4_097)])).toBe(`--token: found 4097 characters; ${allowed}`);
  });

  test("is given once, in a file that can be read, and not together with a user in the address", () => {
    expect(problem(["--token", "a", "--token-file", "b"])).toBe("--token and --token-file: give only one of them");
    expect(problem(["--token-file", join(folder, "none")])).toMatch(/^--token-file: .*none: cannot be read: ENOENT/);
    expect(problem(["--token", "a"], {}, new URL("ws://user:password@localhost/"))).toBe(
      "--addr has a user, and there is a token: give only one of them, both are sent in one header",
    );
  });

  test("gives a warning when it leaves the machine without encryption", () => {
    const warning = (url: string) => tokenWarning(new URL(url), "s3cret");
    for (const url of [
      "ws://localhost:8080/x",
      "http://127.0.0.2/",
      "ws://[::1]/",
      "wss://example.org/",
      "https://10.0.0.1/",
    ]) {
      expect(warning(url)).toBeUndefined();
    }
    for (const host of ["example.org", "10.0.0.1:8080", "[2001:db8::1]", "127.0.0.1.example.org"]) {
      const text = `warning: the token is sent to ${host} without encryption; use`;
      expect(warning(`ws://${host}/x?y=1`)).toBe(`${text} wss:// if the server has it`);
      expect(warning(`http://${host}/`)).toBe(`${text} https:// if the server has it`);
      expect(tokenWarning(new URL(`ws://${host}/`), undefined)).toBeUndefined();
    }
  });
});
