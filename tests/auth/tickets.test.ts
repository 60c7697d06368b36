import { describe, expect, test } from "bun:test";

import { TICKET_MS, Tickets } from "../../src/auth/tickets.ts";
import { hashToken } from "../../src/auth/token.ts";
import { MAX_USED_BY_TOKEN, MAX_USED_TICKETS, UsedTickets } from "../../src/auth/used-tickets.ts";
import { SessionTable } from "../../src/native/session-table.ts";

const NOW = Date.UTC(2027, 0, 1);
const HASH = hashToken("token").toString("hex");
const secret = crypto.getRandomValues(new Uint8Array(32));

describe("a ticket", () => {
  test("stands for the token that it was issued for, once", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used);
    const ticket = tickets.issue(HASH, NOW);
    expect(tickets.use(ticket, NOW + 10)).toEqual({ hash: HASH });
    expect(tickets.use(ticket, NOW + 11)).toBeUndefined();
    expect(tickets.use(tickets.issue(HASH, NOW), NOW)).toEqual({ hash: HASH });
  });

  test("is valid for 30 seconds", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used);
    expect(TICKET_MS).toBe(30_000);
    expect(tickets.use(tickets.issue(HASH, NOW), NOW + 30_000)).toBeUndefined();
    expect(tickets.use(tickets.issue(HASH, NOW), NOW + 29_999)).toEqual({ hash: HASH });
  });

  test("can stand in a subprotocol, a URL and a header, and does not show the hash", () => {
    using used = UsedTickets.create();
    const ticket = new Tickets([secret], used).issue(HASH, NOW);
    expect(ticket).toMatch(/^[A-Za-z0-9_-]{88}$/);
    expect(Buffer.from(ticket, "base64url").toString("hex")).not.toContain(HASH.slice(0, 16));
  });

  test("of another server, changed, cut, longer, or in another spelling is not valid", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used);
    const ticket = tickets.issue(HASH, NOW);
    const other = new Tickets([crypto.getRandomValues(new Uint8Array(32))], used).issue(HASH, NOW);
    const changed = Array.from(ticket, (character, at) => {
      return ticket.slice(0, at) + (character === "A" ? "B" : "A") + ticket.slice(at + 1);
    });
    const spelled = `${ticket.slice(0, 40)}=${ticket.slice(41)}`;
    for (const wrong of ["", "x", other, ...changed, spelled, ticket.slice(1), `${ticket}A`, "A".repeat(88)]) {
      expect(tickets.use(wrong, NOW)).toBeUndefined();
    }
    expect(tickets.use(ticket, NOW)).toEqual({ hash: HASH });
  });

  test("is used once by all processes of a server together", () => {
    const table = SessionTable.create(MAX_USED_TICKETS);
    using one = new UsedTickets(table, 1);
    using two = new UsedTickets(SessionTable.open(table.fd, MAX_USED_TICKETS), 2);
    const [first, second] = [new Tickets([secret], one), new Tickets([secret], two)];
    const ticket = first.issue(HASH, NOW);
    expect(second.use(ticket, NOW)).toEqual({ hash: HASH });
    expect([first.use(ticket, NOW), second.use(ticket, NOW)]).toEqual([undefined, undefined]);
  });
});

describe("tickets of several servers", () => {
  test("are valid on all that share a secret, on each machine once, also while the secret is changed", () => {
    const next = crypto.getRandomValues(new Uint8Array(32));
    using here = UsedTickets.create();
    using there = UsedTickets.create();
    const [old, changed] = [new Tickets([secret, next], here), new Tickets([next, secret], there)];
    for (const ticket of [old.issue(HASH, NOW), changed.issue(HASH, NOW)]) {
      expect([old.use(ticket, NOW), changed.use(ticket, NOW)]).toEqual([{ hash: HASH }, { hash: HASH }]);
      expect([old.use(ticket, NOW), changed.use(ticket, NOW)]).toEqual([undefined, undefined]);
    }
  });
});

describe("the list of used tickets", () => {
  test("has a limit, and places are free again when their tickets are not valid any more", () => {
    const table = SessionTable.create(MAX_USED_TICKETS);
    using used = new UsedTickets(table, 1);
    // Others fill all places but two.
    for (let place = 2; place < MAX_USED_TICKETS; place++) table.claim(2, place, { all: MAX_USED_TICKETS, key: 0 });
    const tickets = new Tickets([secret], used);
    const issue = () => tickets.issue(HASH, NOW);
    const unused = issue();
    expect([tickets.use(issue(), NOW), tickets.use(issue(), NOW)]).toEqual([{ hash: HASH }, { hash: HASH }]);
    expect(tickets.use(unused, NOW)).toBe("full");
    const later = NOW + 60_000;
    expect(tickets.use(tickets.issue(HASH, later), later)).toEqual({ hash: HASH });
  });

  test("has room for an eighth of the tickets of one token, so that others still connect", () => {
    const table = SessionTable.create(MAX_USED_TICKETS);
    using used = new UsedTickets(table, 1);
    const other = hashToken("other").toString("hex");
    const tickets = new Tickets([secret], used);
    expect(MAX_USED_BY_TOKEN).toBe(8_192);
    for (let key = 0; key < MAX_USED_BY_TOKEN; key++) expect(used.use(key, HASH, NOW + 60_000, NOW)).toBe("first");
    expect(tickets.use(tickets.issue(HASH, NOW), NOW)).toBe("full");
    expect(tickets.use(tickets.issue(other, NOW), NOW)).toEqual({ hash: other });
    const later = NOW + 60_000;
    expect(tickets.use(tickets.issue(HASH, later), later)).toEqual({ hash: HASH });
  });

  test("divide the room of one token by the processes that share the table", () => {
    using table = SessionTable.create(MAX_USED_TICKETS);
    using used = new UsedTickets(SessionTable.open(table.fd, MAX_USED_TICKETS), 1, 8);
    const most = MAX_USED_BY_TOKEN / 8;
    for (let key = 0; key < most; key++) expect(used.use(key, HASH, NOW + 60_000, NOW)).toBe("first");
    expect(used.use(most, HASH, NOW + 60_000, NOW)).toBe("full");
    expect(used.use(most, "another", NOW + 60_000, NOW)).toBe("first");
  });
});
