import { expect, test } from "bun:test";

import { depart } from "../../src/client/departure.ts";
import { ConnectionError } from "../../src/client/errors.ts";
import type { ClientSocket } from "../../src/client/socket.ts";

const { signal } = new AbortController();
const refused = () => Promise.reject(new ConnectionError("cannot_connect", "503"));

/** A connection that knows how it was closed. */
function socket(): { socket: ClientSocket; closed: () => number[] } {
  const codes: number[] = [];
  const close = (code?: number): void => void codes.push(code ?? 0);
  return {
    socket: { readyState: 1, bufferedAmount: 0, send() {}, close } as unknown as ClientSocket,
    closed: () => codes,
  };
}

test("a stream gets the first connection that a server takes", async () => {
  const next = socket();
  let asked = 0;
  const open = () => (asked++ < 2 ? refused() : Promise.resolve(next.socket));
  const found = await depart({ deadlineMs: 500, isNeeded: () => true, open, signal, random: () => 0 });
  expect(found).toBe(next.socket);
  expect([asked, next.closed()]).toEqual([3, []]);
});

test("a stream stays where it is when no server takes it, and when the server ends it at once", async () => {
  const options = { isNeeded: () => true, open: refused, signal, random: () => 0.5 };
  expect(await depart({ ...options, deadlineMs: 100 })).toBeUndefined();
  const never = () => Promise.reject(new Error("opened"));
  expect(await depart({ ...options, deadlineMs: 0, open: never })).toBeUndefined();
});

test("a connection that a stream does not need any more is closed", async () => {
  const next = socket();
  let needed = true;
  const open = () => {
    needed = false;
    return Promise.resolve(next.socket);
  };
  const options = { isNeeded: () => needed, signal, random: () => 0 };
  expect(await depart({ ...options, deadlineMs: 1_000, open })).toBeUndefined();
  expect(next.closed()).toEqual([1000]);
  const never = () => Promise.reject(new Error("opened"));
  expect(await depart({ ...options, deadlineMs: 1_000, open: never })).toBeUndefined();
});
