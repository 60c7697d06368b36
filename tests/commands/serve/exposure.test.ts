import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { warnOfExposure, warnOfWritableModels } from "../../../src/commands/serve/exposure.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";

async function warnings(settings: Settings): Promise<unknown[]> {
  const warned: unknown[] = [];
  await warnOfExposure(configure(settings), { warn: (event, fields) => void warned.push([event, fields?.["host"]]) });
  return warned;
}

test("an address beyond loopback is warned of while nobody needs a token or a certificate", async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"]) {
    expect(await warnings({ "server.host": host })).toEqual([["open_to_everybody", host]]);
    expect(await warnings({ "server.host": host, "auth.tokens": "tokens.txt" })).toEqual([]);
    expect(await warnings({ "server.host": host, "server.tls_client_ca": "clients.pem" })).toEqual([]);
  }
});

test("loopback is not warned of, in any spelling; a name that leads nowhere may be any address", async () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"]) {
    expect([host, await warnings({ "server.host": host })]).toEqual([host, []]);
  }
  expect(await warnings({ "server.host": "nowhere.invalid" })).toHaveLength(1);
});

test("a port on which nobody can show a token is warned of, too, unless it is known who may use it", async () => {
  const open = { "wyoming.port": 10_300, "wyoming.host": "0.0.0.0" };
  expect(await warnings(open)).toEqual([["open_to_everybody", "0.0.0.0"]]);
  expect(await warnings({ ...open, "wyoming.host": "[::1]" })).toEqual([]);
  expect(await warnings({ ...open, "wyoming.port": 0 })).toEqual([]);
  expect(await warnings({ ...open, "wyoming.allow": "192.0.2.0/24" })).toEqual([]);
});

test("a model file, or a folder of models, that every user can change is warned of, once", () => {
  const root = mkdtempSync(join(tmpdir(), "streamer-writable-"));
  afterAll(() => rmSync(root, { recursive: true }));
  chmodSync(root, 0o755);
  const place = (folder: string, mode: number, file: string, ofFile = 0o644): string => {
    const path = join(root, folder, file);
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(path, "");
    chmodSync(join(root, folder), mode);
    chmodSync(path, ofFile);
    return path;
  };
  const closed = place("closed", 0o755, "model.ts");
  const group = place("group", 0o775, "model.py", 0o664);
  const sticky = place("sticky", 0o1777, "one.py");
  const other = place("sticky", 0o1777, "two.py");
  const open = place("open", 0o755, "model.ts", 0o666);
  const link = join(root, "closed", "link.py");
  symlinkSync(sticky, link);
  const warned: unknown[] = [];
  const warn = (model: string, others: Settings = {}): unknown[] => {
    warned.length = 0;
    const log = { warn: (event: string, fields?: object) => void warned.push([event, fields]) };
    warnOfWritableModels(configure({ "model.name": model, ...others }), log);
    return warned;
  };
  const found = (path: string, mode: string) => {
    const message = `${path}: found mode ${mode}, so that every user can change the model; better: chmod o-w`;
    return ["model_writable", { message }];
  };
  expect([...warn(closed), ...warn(group), ...warn("levels")]).toEqual([]);
  expect(warn(open)).toEqual([found(open, "0666")]);
  // In a folder with the sticky bit others may add what the model imports.
  expect(warn(sticky, { "models.other.name": other })).toEqual([found(join(root, "sticky"), "1777")]);
  expect(warn(link)).toEqual([found(join(root, "sticky"), "1777")]);
});
