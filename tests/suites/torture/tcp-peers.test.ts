import { expect, setDefaultTimeout, test } from "bun:test";

import { sharedExecutable } from "../../support/executable.ts";
import { Peers } from "../../support/peers/peers.ts";
import { isLong, newNetwork, noNetworks, Watched } from "../../support/peers/watched.ts";
import { prove, rounds } from "../../support/proof.ts";
import { freePort } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(rounds(1, 1, 10) * 1_800_000);

/** Memory of a peer that is stuck, at most, and garbage of many messages, in MiB. */
const STUCK_MIB = 2;
const GARBAGE_MIB = 200;
/** What a promise gives beyond a limit, in milliseconds. */
const GRACE_MS = 9_000;

const executable = await sharedExecutable();
/** The short form runs what is mostly waiting side by side. */
const alone = isLong ? test : test.concurrent;
const networked = (await noNetworks()) === undefined ? alone : testWith(undefined);

/** Of a server in a network of its own. */
const PORT = 10_300;
const EVERYWHERE = { "wyoming.port": PORT, "wyoming.host": "0.0.0.0" };

networked("peers of a TCP port whose network is cut are gone within their limit", async () => {
  await prove("half_open", async () => {
    await using network = await newNetwork();
    const each = rounds(3, 100);
    const limits = {
      "limits.idle_timeout_ms": rounds(1_500, 15_000),
      "limits.slow_reader_ms": rounds(1_000, 10_000),
      "limits.finish_ms": rounds(500, 5_000),
    };
    const limit = Math.max(...Object.values(limits)) + limits["limits.finish_ms"];
    await using server = await Watched.start(executable, { ...limits, ...EVERYWHERE }, network);
    await using stack = new AsyncDisposableStack();
    const kinds = [
      "Wyoming: nothing but a question",
      "Wyoming: a command without an end",
      "Wyoming: lines byte by byte",
      "Wyoming: chunks byte by byte",
      "Wyoming: pings without reading",
      "Wyoming: commands without reading",
    ];
    const address = server.addressOf(PORT);
    const peers = kinds.map((kind) => stack.use(new Peers(kind, each, address, network.underClient)));
    await Promise.all(peers.map((each) => each.up()));
    await network.cut();
    const cut = performance.now();
    const over = async (): Promise<number> => (await server.metrics()).value("streamer_sessions_closed_total");
    await waitUntil("the end of all sessions", async () => (await over()) === each * kinds.length);
    if (!isLong) return `TCP: ${each * kinds.length} peers gone`;
    await waitUntil("the end of all connections", async () => (await server.sessions()) === 0);
    const after = performance.now() - cut;
    // Otherwise the kernel of the server keeps what it could not send.
    await network.mend();
    expect(after).toBeLessThanOrEqual(limit + GRACE_MS);
    const left = await server.back();
    return `TCP: ${each * kinds.length} peers gone ${(after / 1000).toFixed(1)} s after the cut (limit ${limit / 1000} s), ${left}`;
  });
});

networked("peers of a TCP port that read nothing are closed within their limit, with little memory", async () => {
  await prove("slow_readers", async () => {
    await using network = await newNetwork();
    const count = rounds(10, 300);
    const limit = rounds(1_000, 10_000);
    const settings = { "limits.slow_reader_ms": limit, ...EVERYWHERE };
    await using server = await Watched.start(executable, settings, network);
    const address = server.addressOf(PORT);
    await using peers = new Peers("Wyoming: pings without reading", count, address, network.underClient);
    expect(await peers.up()).toBe(count);
    using stuck = server.stuckPeers(address);
    let most = 0;
    await waitUntil("the end of all sessions", async () => {
      most = Math.max(most, server.grownMib);
      await Bun.sleep(250);
      return (await server.sessions()) === 0;
    });
    stuck.look();
    const times = stuck.times();
    expect(times).toHaveLength(count);
    const latest = Math.max(...times);
    if (isLong) expect(latest).toBeLessThanOrEqual(limit + GRACE_MS);
    expect(most).toBeLessThanOrEqual(STUCK_MIB * count + GARBAGE_MIB);
    const metrics = await server.metrics();
    expect(metrics.value("streamer_sessions_closed_total", { reason: "slow_reader" })).toBe(count);
    const left = await server.back();
    return `TCP: ${count} gone ${(latest / 1000).toFixed(1)} s at most after each was stuck (limit ${limit / 1000} s), ${left}`;
  });
});

const FLOODS = [
  "Wyoming: connections",
  "Wyoming: chunks of one byte",
  "Wyoming: commands without reading",
  "Wyoming: pings",
  "Wyoming: unknown events",
  "Wyoming: empty chunks",
  "Wyoming: large data",
  "Wyoming: commands",
  "Wyoming: lines byte by byte",
  "Wyoming: chunks byte by byte",
];
const SOME = 4;

test("floods of a TCP port with connections, events, chunks, commands and half lines cost others nothing", async () => {
  await prove("floods", async () => {
    const port = await freePort();
    await using server = await Watched.start(executable, { "wyoming.port": port, "limits.slow_reader_ms": 1_000 });
    const address = server.addressOf(port);
    // The short form has some of them at once: each has a process of its own.
    const each = isLong ? FLOODS.map((kind) => [kind]) : [FLOODS.slice(0, SOME)];
    for (const kinds of each) {
      const { problems } = await server.beside(kinds, address);
      expect({ kinds, problems }).toEqual({ kinds, problems: { missing: 0 } });
    }
    return `TCP: others exact beside ${each.flat().length} kinds, ${await server.back()}`;
  });
});
