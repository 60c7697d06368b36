import { expect, setDefaultTimeout } from "bun:test";

import { encode, speech } from "../../support/audio.ts";
import { Cluster, LongStream, quantile, RATE } from "../../support/cluster.ts";
import { BUILD_MS, sharedExecutable } from "../../support/executable.ts";
import { rounds } from "../../support/proof.ts";
import { PROGRAMS } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 1_200_000);

const SERVERS = 4;
const STREAMS = rounds(80, 2_000);
const DRAIN_MS = rounds(3_000, 30_000);

const audio = new Uint8Array(encode("s16", speech([0.4, 1.1, 0.8, 0.6, 1.1], { rate: RATE, seed: 5 })));

/** Milliseconds from the loss of a connection until its stream goes on: the half, one of a hundred, and the last. */
function report(what: string, gaps: readonly number[]): string {
  const [half, last] = [quantile(gaps, 0.5), Math.max(...gaps)];
  const [p50, p99, max] = [half, quantile(gaps, 0.99), last].map((ms) => Math.round(ms));
  return `${what}: ${gaps.length} resumptions, p50 ${p50} ms, p99 ${p99} ms, longest ${max} ms`;
}

testWith(PROGRAMS.haproxy)(
  `${STREAMS} streams lose nothing by a roll-out of ${SERVERS} servers behind HAProxy, and by the loss of two at once`,
  async () => {
    const executable = await sharedExecutable();
    await using cluster = await Cluster.start(executable, SERVERS, DRAIN_MS);
    const url = `ws://127.0.0.1:${cluster.proxy.port}/api/v1/segmented`;
    const streams = Array.from({ length: STREAMS }, () => new LongStream());
    const running: Promise<string[]>[] = [];
    const open = (): Promise<number> =>
      cluster.streams().then((each) => each.reduce((sum, n) => sum + Math.max(0, n), 0));
    for (const stream of streams) {
      running.push(stream.run(url, audio).catch((error: unknown) => [String(error)]));
      if (running.length % 20 === 0)
        await waitUntil("streams to open", async () => (await open()) >= running.length - 20);
    }
    await waitUntil("all streams", async () => (await open()) === STREAMS);
    const gaps = (): number[] => streams.flatMap((stream) => stream.gaps.splice(0));
    expect(Math.min(...(await cluster.streams()))).toBeGreaterThan(0);

    for (let index = 0; index < SERVERS; index++) expect(await cluster.replace(index)).toBe(0);
    await waitUntil("all streams to go on", async () => (await open()) === STREAMS);
    const moved = gaps();
    // Every stream was at some server, and each server was drained.
    expect(moved.length).toBeGreaterThanOrEqual(STREAMS);

    const before = await cluster.streams();
    const lost = (before[0] ?? 0) + (before[1] ?? 0);
    await cluster.kill([0, 1]);
    await waitUntil("the streams of two servers to go on at the others", async () => (await open()) === STREAMS);
    await cluster.restart([0, 1]);
    const recovered = gaps();
    expect(recovered.length).toBeGreaterThanOrEqual(lost);

    for (const stream of streams) stream.end();
    expect((await Promise.all(running)).flat()).toEqual([]);

    // An unbroken stream of the same audio: the others have its first results, whatever they went through.
    const whole = new LongStream();
    const periods = Math.max(...streams.map((stream) => stream.periods));
    expect(await whole.run(url, audio, { realTime: false, periods })).toEqual([]);
    expect(whole.finals.length).toBeGreaterThanOrEqual(2 * periods);
    const each = whole.finals.length / periods;
    const differing = streams.filter(
      ({ finals, periods: sent }) => JSON.stringify(finals) !== JSON.stringify(whole.finals.slice(0, sent * each)),
    );
    expect(differing.map(({ finals }) => finals).slice(0, 1)).toEqual([]);
    console.log(`${report("roll-out", moved)}\n${report(`loss of ${lost} streams`, recovered)}`);
  },
);
