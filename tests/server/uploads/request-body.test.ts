import { describe, expect, test } from "bun:test";

import { declaredBytes, RequestBody } from "../../../src/server/uploads/request-body.ts";

const MIB = 1024 * 1024;

/** A body of so many pieces of 1 MiB, which then ends, or goes on for ever without a byte. */
function requestOf(pieces: number, headers: Record<string, string>, ends = true) {
  let sent = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => {
      if (sent < pieces) controller.enqueue(new Uint8Array(MIB));
      else if (ends) controller.close();
      else return new Promise<void>(() => {});
      sent += 1;
      return undefined;
    },
  });
  return { request: { headers: new Headers(headers), body }, sent: () => sent };
}

describe("the body of a request", () => {
  test("is read piece by piece, to its end", async () => {
    const body = new RequestBody(requestOf(2, {}).request);
    expect([(await body.read())?.length, (await body.read())?.length, await body.read()]).toEqual([
      MIB,
      MIB,
      undefined,
    ]);
    expect([body.received, body.isComplete]).toEqual([2 * MIB, true]);
    expect(new RequestBody({ headers: new Headers(), body: null }).isComplete).toBeTrue();
  });

  test("whose end is near is left to Bun, which discards it; the connection can be used again", async () => {
    const { request, sent } = requestOf(5, { "content-length": String(5 * MIB) });
    expect(await new RequestBody(request).abandon(6 * MIB)).toBeTrue();
    expect(sent()).toBeLessThan(3);
  });

  test("of unknown length is discarded up to its end, or up to a limit, with which the connection ends", async () => {
    expect(await new RequestBody(requestOf(5, {}).request).abandon(MIB)).toBeTrue();
    const { request, sent } = requestOf(100, {});
    expect(await new RequestBody(request).abandon(MIB)).toBeFalse();
    expect(sent()).toBeLessThan(20);
  });

  test("that does not come is not waited for", async () => {
    const { request } = requestOf(1, { "content-length": String(100 * MIB) }, false);
    expect(await new RequestBody(request).abandon(MIB)).toBeFalse();
  });

  test("has the length that its header says, once or several times, unless it comes in chunks", () => {
    expect(declaredBytes(new Headers({ "content-length": "12" }))).toBe(12);
    expect(declaredBytes(new Headers({ "content-length": "12, 12" }))).toBe(12);
    expect(declaredBytes(new Headers({ "transfer-encoding": "chunked" }))).toBeUndefined();
    expect(declaredBytes(new Headers())).toBeUndefined();
  });
});
