import { expect, test } from "bun:test";

import { loadConfig } from "../../src/config/config.ts";
import { addressOfPort, dialectPorts, tcpDialectPorts } from "../../src/config/dialect-ports.ts";

function configOf(...sets: readonly string[]) {
  return loadConfig({ sets }).config;
}

test("the ports of dialects are those that are not off, with the address for their clients", () => {
  expect(dialectPorts(configOf())).toEqual([]);
  const both = configOf("wyoming.port=10300", "wyoming.host=[::1]", "wyoming.allow=10.0.0.0/8", "vosk.port=2700");
  expect(dialectPorts(both).map(addressOfPort)).toEqual(["tcp://[::1]:10300", "ws://127.0.0.1:2700"]);
  expect(tcpDialectPorts(both)).toMatchObject([{ section: "wyoming", port: 10_300, allow: ["10.0.0.0/8"] }]);
  expect(tcpDialectPorts(configOf("vosk.port=2700"))).toEqual([]);
});
