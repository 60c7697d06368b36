import { expect, test } from "bun:test";

import type { OpenConnection } from "../../../src/native/connections.ts";
import { type Acceptance, joinServedPorts, type ServedPort } from "../../../src/server/connections/served-port.ts";

class ListedPort implements ServedPort {
  readonly calls: (Acceptance | "end" | "endIdle")[] = [];
  readonly #connections: readonly OpenConnection[];

  constructor(...descriptors: readonly number[]) {
    this.#connections = descriptors.map((fd) => ({ fd, silentMs: 0, address: "192.0.2.1", port: 1_000 + fd }));
  }

  count = (): number => this.#connections.length;
  list = (): readonly OpenConnection[] => this.#connections;
  accept = (which: Acceptance): void => void this.calls.push(which);
  endIdle = (): void => void this.calls.push("endIdle");
  end = ({ fd }: OpenConnection): boolean => {
    if (!this.#connections.some((own) => own.fd === fd)) return false;
    this.calls.push("end");
    return true;
  };
}

test("several ports are limited as if they were one, and each ends its own connections", () => {
  const [first, second] = [new ListedPort(5, 6), new ListedPort(7)];
  const joined = joinServedPorts([first, second]);
  expect(joined.count()).toBe(3);
  expect(joined.list().map(({ fd }) => fd)).toEqual([5, 6, 7]);
  joined.accept("none");
  joined.endIdle();
  expect(joined.end({ fd: 7, silentMs: 0, address: "192.0.2.1", port: 1_007 })).toBeTrue();
  expect(joined.end({ fd: 8, silentMs: 0, address: "192.0.2.1", port: 1_008 })).toBeFalse();
  expect([first.calls, second.calls]).toEqual([
    ["none", "endIdle"],
    ["none", "endIdle", "end"],
  ]);
});
