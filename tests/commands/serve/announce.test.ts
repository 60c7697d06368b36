import { expect, test } from "bun:test";

import { announce } from "../../../src/commands/serve/announce.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";

function announced(settings: Settings) {
  const lines: string[] = [];
  const records: unknown[] = [];
  const record = (...entry: unknown[]): void => void records.push(entry);
  const log = { debug: record, info: record, warn: record, error: record, with: () => log };
  const print = (line: string): void => void lines.push(line);
  const where = { url: "http://127.0.0.1:8080", config: configure(settings), fields: { version: "1.2.3" } };
  announce({ print, log }, where);
  return { lines, records };
}

test("a server says where it listens, HTTP first, and on which ports it speaks other dialects", () => {
  expect(announced({})).toEqual({
    lines: ["listening on http://127.0.0.1:8080"],
    records: [["ready", { url: "http://127.0.0.1:8080", version: "1.2.3" }]],
  });
  const ports = { wyoming: "tcp://0.0.0.0:10300", vosk: "ws://127.0.0.1:2700" };
  expect(announced({ "wyoming.port": 10_300, "wyoming.host": "0.0.0.0", "vosk.port": 2_700 })).toEqual({
    lines: [
      "listening on http://127.0.0.1:8080",
      "listening on tcp://0.0.0.0:10300 for wyoming",
      "listening on ws://127.0.0.1:2700 for vosk",
    ],
    records: [["ready", { url: "http://127.0.0.1:8080", ports, version: "1.2.3" }]],
  });
});
