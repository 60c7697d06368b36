import { expect, test } from "bun:test";

import { allowedAddresses } from "../../../src/server/tcp/allowed-addresses.ts";

test("a port takes clients of the listed networks, and programs of the machine itself", () => {
  const isAllowed = allowedAddresses(["192.0.2.0/24", "2001:db8::/32"]);
  for (const address of ["192.0.2.7", "2001:db8::1", "127.0.0.1", "127.9.9.9", "::1"]) {
    expect([address, isAllowed(address)]).toEqual([address, true]);
  }
  for (const address of ["192.0.3.1", "2001:db9::1", "0.0.0.0", ""]) {
    expect([address, isAllowed(address)]).toEqual([address, false]);
  }
});

test("a port without a list takes everybody who reaches it", () => {
  expect(allowedAddresses([])("203.0.113.5")).toBeTrue();
});
