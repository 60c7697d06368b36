import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Authority } from "../support/certificates.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { modelPath } from "../support/pool-harness.ts";
import { loggedBy } from "../support/processes.ts";
import { reportMissing, testWith } from "../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const folder = await mkdtemp(join(tmpdir(), "streamer-secret-files-"));
afterAll(() => rm(folder, { recursive: true }));
const [keys, cert, key, tokens] = ["keys", "tls.crt", "tls.key", "tokens"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
  string,
];
/** A configuration file with a secret of a model. */
const config = join(folder, "config.json");
const SECRETS = [keys, key, tokens, config];
const authority = await Authority.create();

/** Runs a command after it has mounted the folder read-only, as containers mount secrets. */
const MOUNTED = ["unshare", "--mount", "sh", "-c"];
const MOUNT = `mount --bind ${folder} ${folder} && mount -o remount,bind,ro ${folder} && exec "$@"`;

function canMount(): true | undefined {
  if (Bun.spawnSync([...MOUNTED, MOUNT, "sh", "true"], { stderr: "ignore" }).success) return true;
  reportMissing("this user cannot mount, which needs root");
  return undefined;
}

beforeAll(async () => {
  await writeFile(keys, `key ${"11".repeat(32)}\n`);
  await writeFile(config, JSON.stringify({ model: { name: modelPath("environment"), api_key: "s3cret" } }));
  await installCertificate();
  expect((await executable.run(["token", "new", "client", "--file", tokens])).code).toBe(0);
});

async function installCertificate(): Promise<void> {
  const issued = await authority.issue();
  await writeFile(cert, issued.cert);
  await writeFile(key, issued.key);
}

/** Gives all secrets a mode, and their folder one. */
async function permit(mode: number, ofFolder = 0o755): Promise<void> {
  await chmod(folder, ofFolder);
  for (const path of SECRETS) await chmod(path, mode);
}

async function start(processes: number, under: readonly string[] = []): Promise<ServeProcess> {
  const settings = {
    "model.workers": 1,
    "log.format": "json",
    "server.processes": processes,
    "auth.tokens": tokens,
    "auth.secret_file": keys,
    "server.tls_cert": cert,
    "server.tls_key": key,
  };
  // A new session has no controlling terminal, so that SIGHUP reloads, wherever the tests run.
  const server = await executable.serve(settings, ["--config", config], {}, [...under, "setsid"]);
  // What it logs at its start is there when this is.
  await loggedBy(server, "ready");
  return server;
}

/** The messages of the warnings about files that every user can read. */
function warnings({ log }: ServeProcess): string[] {
  const events = ["secret_readable", "token_file_warning"];
  const records = log.filter(({ event }) => events.includes(String(event)));
  expect(records.filter(({ level }) => level !== "warning")).toEqual([]);
  return records.map(({ message }) => String(message)).sort();
}

const found = (path: string, what: string) =>
  `${path}: found mode 0644, so that every user can read ${what}; better: chmod o-r`;
const OF_TOKENS = found(tokens, "it");
const OF_KEYS = found(keys, "auth.secret_file");
const OF_KEY = found(key, "server.tls_key");
const ALL = [OF_TOKENS, OF_KEYS, OF_KEY, found(config, "model.api_key")].sort();

describe.each([1, 2])("a server with %p process(es)", (processes) => {
  test("warns once of each file with a secret that every user can read: tokens, keys, the key of TLS, a configuration", async () => {
    await permit(0o644);
    await using server = await start(processes);
    expect(warnings(server)).toEqual(ALL);
    expect(server.err).not.toContain("11".repeat(32));
  });

  test("warns of none that only the owner and the group can read, or that is in a folder closed to others", async () => {
    for (const [mode, ofFolder] of [
      [0o600, 0o755],
      [0o640, 0o755],
      [0o644, 0o700],
    ] as const) {
      await permit(mode, ofFolder);
      await using server = await start(processes);
      expect(warnings(server)).toEqual([]);
    }
  });

  testWith(canMount())("warns of none that a container mounts read-only, whatever their mode", async () => {
    await permit(0o644);
    await using server = await start(processes, [...MOUNTED, MOUNT, "sh"]);
    expect(warnings(server)).toEqual([]);
  });

  test("warns again when it loads files again that every user can read", async () => {
    await permit(0o600);
    await using server = await start(processes);
    expect(warnings(server)).toEqual([]);
    await permit(0o644);
    await installCertificate();
    await loggedBy(server, "certificate_loaded");
    await loggedBy(server, "secret_readable");
    await loggedBy(server, "token_file_warning");
    expect(warnings(server)).toEqual([OF_TOKENS, OF_KEY].sort());
    if (processes === 1) return;
    // A reload reads the keys again.
    server.signal("SIGHUP");
    await loggedBy(server, "reloaded");
    expect(warnings(server)).toEqual([...ALL, OF_KEY].sort());
  });
});
