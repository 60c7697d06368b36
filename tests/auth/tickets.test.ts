import { describe, expect, test } from "bun:test";

import { type Moment, TICKET_MS, Tickets } from "../../src/auth/tickets.ts";
import { hashToken } from "../../src/auth/token.ts";
import { MAX_USED_BY_TOKEN, MAX_USED_TICKETS, UsedTickets } from "../../src/auth/used-tickets.ts";
import { SessionTable } from "../../src/native/session-table.ts";

const NOW: Moment = { wall: Date.UTC(2027, 0, 1), uptime: 1_000_000 };
const HASH = hashToken("token").toString("hex");
const random = () => crypto.getRandomValues(new Uint8Array(32));
const secret = random();
const server = { secret: random(), startedAt: 0 };

/** So many milliseconds later, on both clocks. */
const after = (ms: number, { wall, uptime } = NOW): Moment => ({ wall: wall + ms, uptime: uptime + ms });
/** The same moment after somebody has set the clock on the wall. */
const withClockSet = (ms: number, { wall, uptime } = NOW): Moment => ({ wall: wall + ms, uptime });
/** Another server with the same secret, or the same one after another start. */
const another = (used: UsedTickets, startedAt = 0) => new Tickets([secret], used, { secret: random(), startedAt });

describe("a ticket", () => {
  test("stands for the token that it was issued for, once", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used, server);
    const ticket = tickets.issue(HASH, NOW);
    expect(tickets.use(ticket, after(10))).toEqual({ hash: HASH });
    expect(tickets.use(ticket, after(11))).toBeUndefined();
    expect(tickets.use(tickets.issue(HASH, NOW), NOW)).toEqual({ hash: HASH });
  });

  test("is valid for 30 seconds", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used, server);
    expect(TICKET_MS).toBe(30_000);
    expect(tickets.use(tickets.issue(HASH, NOW), after(30_000))).toBeUndefined();
    expect(tickets.use(tickets.issue(HASH, NOW), after(29_999))).toEqual({ hash: HASH });
  });

  test("can stand in a subprotocol, a URL and a header, and does not show the hash", () => {
    using used = UsedTickets.create();
    const ticket = new Tickets([secret], used, server).issue(HASH, NOW);
    expect(ticket).toMatch(/^[A-Za-z0-9_-]{107}$/);
    expect(Buffer.from(ticket, "base64url").toString("hex")).not.toContain(HASH.slice(0, 16));
  });

  test("of another server, changed, cut, longer, or in another spelling is not valid", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used, server);
    const ticket = tickets.issue(HASH, NOW);
    const other = new Tickets([random()], used, server).issue(HASH, NOW);
    const changed = Array.from(ticket, (character, at) => {
      return ticket.slice(0, at) + (character === "A" ? "B" : "A") + ticket.slice(at + 1);
    });
    const spelled = `${ticket.slice(0, 40)}=${ticket.slice(41)}`;
    for (const wrong of ["", "x", other, ...changed, spelled, ticket.slice(1), `${ticket}A`, "A".repeat(107)]) {
      expect(tickets.use(wrong, NOW)).toBeUndefined();
    }
    expect(tickets.use(ticket, NOW)).toEqual({ hash: HASH });
  });

  test("is used once by all processes of a server together", () => {
    const table = SessionTable.create(MAX_USED_TICKETS);
    using one = new UsedTickets(table, 1);
    using two = new UsedTickets(SessionTable.open(table.fd, MAX_USED_TICKETS), 2);
    const [first, second] = [new Tickets([secret], one, server), new Tickets([secret], two, server)];
    const ticket = first.issue(HASH, NOW);
    expect(second.use(ticket, NOW)).toEqual({ hash: HASH });
    expect([first.use(ticket, NOW), second.use(ticket, NOW)]).toEqual([undefined, undefined]);
  });
});

describe("tickets of several servers", () => {
  test("are valid on all that share a secret, on each of them once, also while the secret is changed", () => {
    const next = random();
    using here = UsedTickets.create();
    using there = UsedTickets.create();
    const old = new Tickets([secret, next], here, server);
    const changed = new Tickets([next, secret], there, { secret: random(), startedAt: 0 });
    for (const ticket of [old.issue(HASH, NOW), changed.issue(HASH, NOW)]) {
      expect([old.use(ticket, NOW), changed.use(ticket, NOW)]).toEqual([{ hash: HASH }, { hash: HASH }]);
      expect([old.use(ticket, NOW), changed.use(ticket, NOW)]).toEqual([undefined, undefined]);
    }
  });

  test("are refused by one that was started after they were issued: it may have accepted them before that", () => {
    using before = UsedTickets.create();
    using since = UsedTickets.create();
    const [first, other] = [new Tickets([secret], before, server), another(before)];
    const [used, foreign] = [first.issue(HASH, NOW), other.issue(HASH, NOW)];
    expect(first.use(used, after(1))).toEqual({ hash: HASH });
    const restarted = another(since, after(2_000).uptime);
    expect([restarted.use(used, after(3_000)), restarted.use(foreign, after(3_000))]).toEqual([undefined, undefined]);
    // Those that are issued from then on are as good as ever.
    const later = other.issue(HASH, after(2_500));
    expect([restarted.use(later, after(3_000)), restarted.use(later, after(3_001))]).toEqual([
      { hash: HASH },
      undefined,
    ]);
  });

  test("are valid when the clocks of the servers differ by less than 30 seconds", () => {
    for (const difference of [-29_999, -10_000, 10_000, 29_999]) {
      using used = UsedTickets.create();
      const ticket = another(used).issue(HASH, withClockSet(difference));
      expect([difference, new Tickets([secret], used, server).use(ticket, NOW)]).toEqual([difference, { hash: HASH }]);
    }
    for (const difference of [-30_000, 30_000]) {
      using used = UsedTickets.create();
      const ticket = another(used).issue(HASH, withClockSet(difference));
      expect([difference, new Tickets([secret], used, server).use(ticket, NOW)]).toEqual([difference, undefined]);
    }
  });
});

describe("a ticket at the server that issued it, when the clock on the wall is set", () => {
  const HOUR = 3_600_000;

  test.each([HOUR, -HOUR, 30_000, -30_000])("by %d ms, is valid for its 30 seconds and no longer", (jump) => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used, server);
    const [first, late] = [tickets.issue(HASH, NOW), tickets.issue(HASH, NOW)];
    expect(tickets.use(first, withClockSet(jump, after(29_990)))).toEqual({ hash: HASH });
    expect(tickets.use(late, withClockSet(jump, after(30_000)))).toBeUndefined();
  });

  test("forwards and back, is not valid again once it was used or has expired", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used, server);
    const [once, never] = [tickets.issue(HASH, NOW), tickets.issue(HASH, NOW)];
    expect(tickets.use(once, after(1))).toEqual({ hash: HASH });
    // The use of another ticket is what forgets the old ones.
    const ahead = withClockSet(HOUR, after(2));
    expect(tickets.use(tickets.issue(HASH, ahead), ahead)).toEqual({ hash: HASH });
    expect(tickets.use(once, after(3))).toBeUndefined();
    for (const ms of [31_000, 61_000, HOUR]) {
      const back = withClockSet(-ms, after(ms));
      expect([tickets.use(once, back), tickets.use(never, back)]).toEqual([undefined, undefined]);
    }
  });

  test("back by more than the server has been running, is still issued and used", () => {
    using used = UsedTickets.create();
    const tickets = new Tickets([secret], used, { ...server, startedAt: NOW.uptime - 1_000 });
    const back = withClockSet(-HOUR);
    expect(tickets.use(tickets.issue(HASH, back), back)).toEqual({ hash: HASH });
    const beforeTheEpoch = { ...NOW, wall: -HOUR };
    expect(tickets.use(tickets.issue(HASH, beforeTheEpoch), beforeTheEpoch)).toEqual({ hash: HASH });
    // So are those of others, by the clock as it is now.
    expect(tickets.use(another(used).issue(HASH, back), back)).toEqual({ hash: HASH });
  });
});

describe("the list of used tickets", () => {
  test("has a limit, and places are free again when their tickets are not valid any more", () => {
    const table = SessionTable.create(MAX_USED_TICKETS);
    using used = new UsedTickets(table, 1);
    // Others fill all places but two.
    for (let place = 2; place < MAX_USED_TICKETS; place++) table.claim(2, place, { all: MAX_USED_TICKETS, key: 0 });
    const tickets = new Tickets([secret], used, server);
    const issue = () => tickets.issue(HASH, NOW);
    const unused = issue();
    expect([tickets.use(issue(), NOW), tickets.use(issue(), NOW)]).toEqual([{ hash: HASH }, { hash: HASH }]);
    expect(tickets.use(unused, NOW)).toBe("full");
    const later = after(60_000);
    expect(tickets.use(tickets.issue(HASH, later), later)).toEqual({ hash: HASH });
  });

  test("has room for an eighth of the tickets of one token, so that others still connect", () => {
    const table = SessionTable.create(MAX_USED_TICKETS);
    using used = new UsedTickets(table, 1);
    const other = hashToken("other").toString("hex");
    const tickets = new Tickets([secret], used, server);
    expect(MAX_USED_BY_TOKEN).toBe(8_192);
    for (let key = 0; key < MAX_USED_BY_TOKEN; key++)
      expect(used.use(key, HASH, NOW.uptime + 60_000, NOW.uptime)).toBe("first");
    expect(tickets.use(tickets.issue(HASH, NOW), NOW)).toBe("full");
    expect(tickets.use(tickets.issue(other, NOW), NOW)).toEqual({ hash: other });
    const later = after(60_000);
    expect(tickets.use(tickets.issue(HASH, later), later)).toEqual({ hash: HASH });
  });

  test("divide the room of one token by the processes that share the table", () => {
    using table = SessionTable.create(MAX_USED_TICKETS);
    using used = new UsedTickets(SessionTable.open(table.fd, MAX_USED_TICKETS), 1, 8);
    const most = MAX_USED_BY_TOKEN / 8;
    for (let key = 0; key < most; key++) expect(used.use(key, HASH, NOW.uptime + 60_000, NOW.uptime)).toBe("first");
    expect(used.use(most, HASH, NOW.uptime + 60_000, NOW.uptime)).toBe("full");
    expect(used.use(most, "another", NOW.uptime + 60_000, NOW.uptime)).toBe("first");
  });
});
