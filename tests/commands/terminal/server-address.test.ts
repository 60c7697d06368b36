import { expect, test } from "bun:test";

import { UsageError } from "../../../src/commands/terminal/exit-codes.ts";
import {
  parseServerAddress,
  printableUrl,
  routeUrl,
  streamUrl,
} from "../../../src/commands/terminal/server-address.ts";

const stream = (text: string) => streamUrl(parseServerAddress("--addr", text), "simple").href;
const health = (text: string) => routeUrl(parseServerAddress("--addr", text), "health").href;

test.each([
  ["localhost:8090", "ws://localhost:8090/api/v1/simple", "http://localhost:8090/api/v1/health"],
  ["gpu-1", "ws://gpu-1:8080/api/v1/simple", "http://gpu-1:8080/api/v1/health"],
  ["[::1]:8090", "ws://[::1]:8090/api/v1/simple", "http://[::1]:8090/api/v1/health"],
  ["::1", "ws://[::1]:8080/api/v1/simple", "http://[::1]:8080/api/v1/health"],
  ["http://127.0.0.1:8090", "ws://127.0.0.1:8090/api/v1/simple", "http://127.0.0.1:8090/api/v1/health"],
  ["http://[::1]:8090/", "ws://[::1]:8090/api/v1/simple", "http://[::1]:8090/api/v1/health"],
  ["http://localhost:1//", "ws://localhost:1/api/v1/simple", "http://localhost:1/api/v1/health"],
  ["localhost.:8090", "ws://localhost.:8090/api/v1/simple", "http://localhost.:8090/api/v1/health"],
  ["https://example.com", "wss://example.com/api/v1/simple", "https://example.com/api/v1/health"],
  ["WS://example.com", "ws://example.com/api/v1/simple", "http://example.com/api/v1/health"],
  ["localhost:80", "ws://localhost/api/v1/simple", "http://localhost/api/v1/health"],
  ["wss://example.com:443/api/v1/segmented", "wss://example.com/api/v1/segmented", "https://example.com/api/v1/health"],
  ["example.com/asr", "ws://example.com:8080/asr", "http://example.com:8080/asr/api/v1/health"],
  [
    "https://example.com/asr/api/v1/simple?ticket=7",
    "wss://example.com/asr/api/v1/simple?ticket=7",
    "https://example.com/asr/api/v1/health",
  ],
  [
    "ws://me:secret@localhost:1",
    "ws://me:secret@localhost:1/api/v1/simple",
    "http://me:secret@localhost:1/api/v1/health",
  ],
])("%s is an address of streams and of HTTP routes", (text, webSocket, http) => {
  expect([stream(text), health(text)]).toEqual([webSocket, http]);
});

test.each([
  "",
  "8090",
  ":8090",
  "ftp://localhost",
  "localhost:99999",
  "a b",
  "http://",
  "http:/localhost",
  "[::1",
  "//x",
])("%p is refused with what was found and what is allowed", (text) => {
  expect(() => parseServerAddress("--addr", text)).toThrow(UsageError);
  expect(() => parseServerAddress("--addr", text)).toThrow(
    `--addr: found "${text}"; allowed: HOST:PORT, or a URL that begins with http://, https://, ws:// or wss://`,
  );
});

test("a #fragment is refused", () => {
  expect(() => parseServerAddress("--addr", "ws://localhost/#x")).toThrow("without #fragment");
});

test("messages show neither credentials nor the query", () => {
  expect(printableUrl(new URL("ws://me:secret@localhost:1/x?token=secret"))).toBe("ws://localhost:1/x");
});
