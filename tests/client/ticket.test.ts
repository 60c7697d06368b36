import { afterAll, expect, test } from "bun:test";

import { requestTicket } from "../../src/client/ticket.ts";
import { rejection } from "../support/wire.ts";

const ERROR = { type: "error", code: "unauthorized", message: "no valid token", fatal: true };
const asked: string[] = [];
const server = Bun.serve({
  port: 0,
  fetch(request) {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    switch (request.headers.get("authorization")) {
      case "Bearer right":
        return Response.json({ ticket: "abc", expires_in_ms: 30_000 });
      case "Bearer odd":
        return Response.json({});
      case "Bearer proxy":
        return new Response("<html>", { status: 502 });
      default:
        return Response.json(ERROR, { status: 401 });
    }
  },
});
afterAll(() => server.stop(true));
const base = `http://localhost:${server.port}`;

test("a ticket comes from the server, also behind a path of a proxy, by its address or that of a stream", async () => {
  const streams = base.replace("http", "ws");
  for (const address of [
    base,
    `${base}/`,
    `${base}/speech/`,
    `${streams}/api/v1/segmented`,
    `${streams}/speech/api/v1/simple`,
  ]) {
    expect(await requestTicket(address, "right")).toBe("abc");
  }
  const [plain, behind] = ["POST /api/v1/tickets", "POST /speech/api/v1/tickets"];
  expect(asked).toEqual([plain!, plain!, behind!, plain!, behind!]);
});

test("a refusal has the status, and the error of the server if it is one", async () => {
  expect(await rejection(requestTicket(base, "wrong"))).toMatchObject({
    name: "TicketRefused",
    message: "no ticket: unauthorized: no valid token",
    status: 401,
    event: ERROR,
  });
  expect(await rejection(requestTicket(base, "proxy"))).toMatchObject({ status: 502, event: undefined });
  expect(await rejection(requestTicket(base, "odd"))).toMatchObject({ name: "TicketRefused", status: 200 });
  const signal = AbortSignal.abort(new Error("given up"));
  expect(await rejection(requestTicket(base, "right", { signal }))).toMatchObject({ message: "given up" });
});
