import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Access } from "../../src/auth/access.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";

const [TOKEN, ADMIN, LAPSED] = [newToken(), newToken(), newToken()];
const log = { info: () => {}, warn: () => {}, error: () => {} };

let folder: string;
let path: string;
let now: number;

const line = (name: string, token: string, fields = "") => {
  return `${name} sha256:${hashToken(token).toString("hex")} ${fields}\n`;
};
const request = (token?: string, scheme = "Bearer") => {
  return new Request("http://localhost/", {
    headers: token === undefined ? {} : { authorization: `${scheme} ${token}` },
  });
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-access-"));
  path = join(folder, "tokens");
  now = Date.UTC(2027, 0, 1);
  const lines = [
    line("client", TOKEN, "sessions=3"),
    line("ops", ADMIN, "admin"),
    line("old", LAPSED, "expires=2026-01-01"),
  ];
  await writeFile(path, lines.join(""), { mode: 0o600 });
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const open = () => new Access({ tokens: path, log, now: () => now });

function ticketOf(access: Access): string {
  const issued = access.issue(request(TOKEN));
  if (issued instanceof ProtocolError) throw issued;
  expect(issued.expires_in_ms).toBe(30_000);
  return issued.ticket;
}

describe("access with a token file", () => {
  test("admits a token, and a ticket for it once", () => {
    using access = open();
    expect(access.required).toBe(true);
    const ticket = ticketOf(access);
    expect(access.admit({ token: TOKEN })).toMatchObject({ name: "client", sessions: 3 });
    expect(access.admit({ ticket })).toMatchObject({ name: "client", sessions: 3 });
    expect(access.admit({ ticket })).toBeInstanceOf(ProtocolError);
  });

  test("refuses in the same words whatever is wrong", () => {
    using access = open();
    const [used, late] = [ticketOf(access), ticketOf(access)];
    access.admit({ ticket: used });
    now += 30_000;
    const wrong = [
      {},
      { token: newToken() },
      { token: LAPSED },
      { token: ADMIN },
      { token: "" },
      { ticket: used },
      { ticket: late },
      { ticket: "x" },
    ];
    const refusals = wrong.map((credentials) => access.admit(credentials));
    const pages = [request(), request(newToken()), request(TOKEN, "Basic")].map((page) => access.refusal(page));
    const tickets = [request(), request(newToken()), request(ADMIN)].map((page) => access.issue(page));
    for (const refusal of [...refusals, ...pages, ...tickets, access.operatorRefusal(request(TOKEN))]) {
      expect(refusal).toEqual(access.refusal(request()));
      expect(refusal).toMatchObject({ code: "unauthorized" });
    }
  });

  test("takes the token of a client that shows a ticket, too, and leaves the ticket unused", () => {
    using access = open();
    const ticket = ticketOf(access);
    expect(access.admit({ token: newToken(), ticket })).toBeInstanceOf(ProtocolError);
    expect(access.admit({ token: TOKEN, ticket })).toMatchObject({ name: "client" });
    expect(access.admit({ ticket })).toMatchObject({ name: "client" });
  });

  test("lets every valid token request pages, and those of operators only request theirs", () => {
    using access = open();
    for (const token of [TOKEN, ADMIN]) expect(access.refusal(request(token))).toBeUndefined();
    expect(access.refusal(request(TOKEN, "bEARER"))).toBeUndefined();
    expect(access.operatorRefusal(request(ADMIN))).toBeUndefined();
  });

  test("holds a token no more once it is removed, and a ticket for it is worthless", async () => {
    using access = open();
    const ticket = ticketOf(access);
    const hash = hashToken(TOKEN).toString("hex");
    expect(access.holds(hash)).toBe(true);
    await writeFile(path, line("client", newToken()));
    for (let looks = 0; looks < 3; looks++) await access.check();
    expect(access.holds(hash)).toBe(false);
    expect(access.admit({ ticket })).toBeInstanceOf(ProtocolError);
  });
});

test("access without a token file requires nothing, and still issues tickets", () => {
  using access = new Access({ tokens: "none", log });
  expect([access.required, access.text]).toEqual([false, undefined]);
  expect(access.issue(request("anything"))).toMatchObject({
    ticket: expect.stringMatching(/^[\w-]{88}$/),
    expires_in_ms: 30_000,
  });
});
