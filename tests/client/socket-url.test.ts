import { expect, test } from "bun:test";

import { printableUrl, socketUrl } from "../../src/client/socket-url.ts";

test.each([
  ["http://host/api/v1/simple", "ws://host/api/v1/simple"],
  ["https://host/api/v1/simple?ticket=a#part", "wss://host/api/v1/simple?ticket=a"],
  ["ws://host:8080/", "ws://host:8080/"],
])("%s is %s", (given, expected) => {
  expect(socketUrl(given).href).toBe(expected);
});

test("what is no URL is refused, and messages have no secrets of one", () => {
  expect(() => socketUrl("host/path")).toThrow(TypeError);
  expect(printableUrl("wss://user:password@host:1/path?ticket=a")).toBe("wss://host:1/path");
});
