import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Access } from "../../src/auth/access.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { authFamilies, UNAUTHORIZED_REASONS } from "../../src/telemetry/metrics/families/auth.ts";
import { MetricRegistry } from "../../src/telemetry/metrics/metric-registry.ts";

const [TOKEN, ADMIN, LAPSED] = [newToken(), newToken(), newToken()];
const HOST = "192.0.2.1";
const log = { info: () => {}, warn: () => {}, error: () => {} };

let folder: string;
let path: string;
/** The clock on the wall, and one that nobody can set. */
let now: number;
let uptime: number;

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
  uptime = 1_000_000;
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

const CLOCKS = { now: () => now, uptime: () => uptime };
const open = () => new Access({ auth: { tokens: path, secret_file: "none" }, log, ...CLOCKS });

/** Lets time pass, on both clocks. */
function pass(ms: number): void {
  now += ms;
  uptime += ms;
}

function ticketOf(access: Access): string {
  const issued = access.issue(request(TOKEN), HOST);
  if (issued instanceof ProtocolError) throw issued;
  expect(issued.expires_in_ms).toBe(30_000);
  return issued.ticket;
}

describe("access with a token file", () => {
  test("admits a token, and a ticket for it once", () => {
    using access = open();
    expect(access.required).toBe(true);
    const ticket = ticketOf(access);
    expect(access.admit({ token: TOKEN }, HOST)).toMatchObject({ name: "client", sessions: 3 });
    expect(access.admit({ ticket }, HOST)).toMatchObject({ name: "client", sessions: 3 });
    expect(access.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
  });

  test("refuses in the same words whatever is wrong", () => {
    using access = open();
    const [used, late] = [ticketOf(access), ticketOf(access)];
    access.admit({ ticket: used }, HOST);
    pass(30_000);
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
    const refusals = wrong.map((credentials) => access.admit(credentials, HOST));
    const pages = [request(), request(newToken()), request(TOKEN, "Basic")].map((page) => access.refusal(page, HOST));
    const tickets = [request(), request(newToken()), request(ADMIN)].map((page) => access.issue(page, HOST));
    for (const refusal of [...refusals, ...pages, ...tickets, access.operatorRefusal(request(TOKEN), HOST)]) {
      expect(refusal).toEqual(access.refusal(request(), HOST));
      expect(refusal).toMatchObject({ code: "unauthorized" });
    }
  });

  test("takes the token of a client that shows a ticket, too, and leaves the ticket unused", () => {
    using access = open();
    const ticket = ticketOf(access);
    expect(access.admit({ token: newToken(), ticket }, HOST)).toBeInstanceOf(ProtocolError);
    expect(access.admit({ token: TOKEN, ticket }, HOST)).toMatchObject({ name: "client" });
    expect(access.admit({ ticket }, HOST)).toMatchObject({ name: "client" });
  });

  test("lets every valid token request pages, and those of operators only request theirs", () => {
    using access = open();
    for (const token of [TOKEN, ADMIN]) expect(access.refusal(request(token), HOST)).toBeUndefined();
    expect(access.refusal(request(TOKEN, "bEARER"), HOST)).toBeUndefined();
    expect(access.operatorRefusal(request(ADMIN), HOST)).toBeUndefined();
  });

  test("lets clients that cannot show a token count as a principal of the file, unless it is for operators, or expired", () => {
    using access = open();
    expect(access.principal("client", HOST)).toMatchObject({ name: "client", sessions: 3 });
    for (const name of ["ops", "old", "nobody", "none", ""]) {
      expect(access.principal(name, HOST)).toMatchObject({ code: "unauthorized" });
    }
  });

  test("holds a token no more once it is one for operators, and a ticket for it is worthless", async () => {
    using access = open();
    const ticket = ticketOf(access);
    await writeFile(path, line("client", TOKEN, "admin"));
    for (let looks = 0; looks < 3; looks++) await access.check();
    expect(access.holds(hashToken(TOKEN).toString("hex"))).toBe(false);
    expect(access.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
    expect(access.operatorRefusal(request(TOKEN), HOST)).toBeUndefined();
  });

  test("holds a token no more once it is removed, and a ticket for it is worthless", async () => {
    using access = open();
    const ticket = ticketOf(access);
    const hash = hashToken(TOKEN).toString("hex");
    expect(access.holds(hash)).toBe(true);
    await writeFile(path, line("client", newToken()));
    for (let looks = 0; looks < 3; looks++) await access.check();
    expect(access.holds(hash)).toBe(false);
    expect(access.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
  });
});

test("a ticket is valid at all servers with the same keys, and with others at its own only", async () => {
  const keys = join(folder, "keys");
  const key = (id: string) => `${id} ${crypto.getRandomValues(new Uint8Array(32)).toHex()}\n`;
  const [first, second] = [key("first"), key("second")];
  const openWith = async (text: string) => {
    await writeFile(keys, text);
    return new Access({ auth: { tokens: path, secret_file: keys }, log, ...CLOCKS });
  };
  using one = await openWith(first + second);
  using two = await openWith(second + first);
  using other = await openWith(key("first"));
  for (const issuer of [one, two]) {
    const ticket = ticketOf(issuer);
    expect([one.admit({ ticket }, HOST), two.admit({ ticket }, HOST)]).toMatchObject([
      { name: "client" },
      { name: "client" },
    ]);
    expect(other.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
  }
});

test("a server that starts again with the keys of before refuses the tickets of before, used or not", async () => {
  const keys = join(folder, "keys");
  await writeFile(keys, `key ${"11".repeat(32)}\n`, { mode: 0o600 });
  const start = () => new Access({ auth: { tokens: path, secret_file: keys }, log, ...CLOCKS });
  using first = start();
  const [used, unused] = [ticketOf(first), ticketOf(first)];
  expect(first.admit({ ticket: used }, HOST)).toMatchObject({ name: "client" });
  pass(1_000);
  using second = start();
  for (const ticket of [used, unused]) expect(second.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
  expect(second.admit({ ticket: ticketOf(second) }, HOST)).toMatchObject({ name: "client" });
});

describe("when the clock on the wall is set", () => {
  const DAY = 86_400_000;
  const admits = (access: Access, token: string) => !(access.admit({ token }, HOST) instanceof ProtocolError);

  test("forwards, tokens expire at once, their sessions end, and tickets for them are worthless; back, they are valid", async () => {
    await writeFile(path, line("client", TOKEN, "expires=2027-01-02"));
    using access = open();
    const ticket = ticketOf(access);
    const hash = hashToken(TOKEN).toString("hex");
    expect([admits(access, TOKEN), access.holds(hash)]).toEqual([true, true]);
    now += 3 * DAY;
    expect([admits(access, TOKEN), access.holds(hash)]).toEqual([false, false]);
    expect(access.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
    now -= 3 * DAY;
    expect([admits(access, TOKEN), access.holds(hash)]).toEqual([true, true]);
  });

  test("back, a token that has expired is valid until the clock is there again", () => {
    using access = open();
    expect(admits(access, LAPSED)).toBe(false);
    now -= 2 * 365 * DAY;
    expect(admits(access, LAPSED)).toBe(true);
  });

  test("tickets are used as before, once, and refusals are logged as before", () => {
    const records: unknown[] = [];
    const warn = (event: string) => void records.push(event);
    using access = new Access({ auth: { tokens: path, secret_file: "none" }, log: { ...log, warn }, ...CLOCKS });
    for (const jump of [DAY, -2 * DAY, DAY]) {
      const ticket = ticketOf(access);
      now += jump;
      expect(access.admit({ ticket }, HOST)).toMatchObject({ name: "client" });
      expect(access.admit({ ticket }, HOST)).toBeInstanceOf(ProtocolError);
      uptime += 10_000;
    }
    expect(records).toEqual(["unauthorized", "unauthorized", "unauthorized"]);
  });
});

test("the log and the metrics have the reason of a refusal, its address and a known principal, and no secret", () => {
  const records: unknown[] = [];
  const registry = new MetricRegistry();
  const metrics = authFamilies(registry);
  const warn = (event: string, fields: unknown) => void records.push([event, fields]);
  using access = new Access({
    auth: { tokens: path, secret_file: "none" },
    log: { ...log, warn },
    metrics,
    ...CLOCKS,
  });
  const attempts = [
    () => access.admit({}, HOST),
    () => access.admit({ token: newToken() }, HOST),
    () => access.admit({ token: LAPSED }, HOST),
    () => access.admit({ token: ADMIN }, HOST),
    () => access.admit({ ticket: "x" }, HOST),
    () => access.operatorRefusal(request(TOKEN), HOST),
  ];
  for (const attempt of attempts) {
    pass(10_000);
    attempt();
  }
  // At most one in ten seconds; the next has the number of those that were left out.
  for (let index = 0; index < 3; index++) access.admit({}, HOST);
  pass(10_000);
  access.admit({}, HOST);
  expect(records).toEqual([
    ["unauthorized", { reason: "no_token", address: HOST }],
    ["unauthorized", { reason: "unknown_token", address: HOST }],
    ["unauthorized", { reason: "expired_token", address: HOST, caller: "old" }],
    ["unauthorized", { reason: "operator_token", address: HOST, caller: "ops" }],
    ["unauthorized", { reason: "ticket", address: HOST }],
    ["unauthorized", { reason: "client_token", address: HOST, caller: "client" }],
    ["unauthorized", { reason: "no_token", address: HOST, left_out: 3 }],
  ]);
  const counted = UNAUTHORIZED_REASONS.map((reason) => [reason, metrics.unauthorized.with({ reason }).value]);
  const single = { unknown_token: 1, expired_token: 1, operator_token: 1, client_token: 1, ticket: 1 };
  expect(Object.fromEntries(counted)).toEqual({ no_token: 5, ...single });
  expect([metrics.tokens.with({}).value, metrics.fileRefused.with({}).value]).toEqual([3, 0]);
});

test("a metric tells while the token file cannot be used", async () => {
  const metrics = authFamilies(new MetricRegistry());
  using access = new Access({ auth: { tokens: path, secret_file: "none" }, log, metrics, ...CLOCKS });
  const look = async () => {
    for (let looks = 0; looks < 3; looks++) await access.check();
    return [metrics.fileRefused.with({}).value, metrics.tokens.with({}).value];
  };
  await writeFile(path, "broken\n");
  expect(await look()).toEqual([1, 3]);
  await writeFile(path, line("client", TOKEN));
  expect(await look()).toEqual([0, 1]);
});

test("access without a token file requires nothing, and still issues tickets", () => {
  using access = new Access({ auth: { tokens: "none", secret_file: "none" }, log });
  expect([access.required, access.text]).toEqual([false, undefined]);
  expect(access.issue(request("anything"), HOST)).toMatchObject({
    ticket: expect.stringMatching(/^[\w-]{107}$/),
    expires_in_ms: 30_000,
  });
});
