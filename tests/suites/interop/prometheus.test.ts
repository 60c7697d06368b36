import { expect } from "bun:test";
import { join } from "node:path";

import { FOREIGN, queries, usedNames } from "../../support/deploy/dashboards.ts";
import { LoadedServer } from "../../support/deploy/load.ts";
import { Prometheus } from "../../support/deploy/prometheus.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

const program = tool("prometheus", "prometheus");

/** Series of servers with several processes, with tokens and with TLS, which the loaded one does not have. */
const OF_OTHERS =
  /streamer_(?:process(?:es|_starts_total|_deaths_total)|unauthorized_total|tls_(?:certificate_expiry_timestamp_seconds|reloads_total))\b/;

const rules = ["rules.yml", "alerts.yml"].map((name) =>
  join(import.meta.dir, "..", "..", "..", "deploy", "prometheus", name),
);

testWith(program)(
  "a real Prometheus that scrapes a busy server has data for every dashboard query and can evaluate every rule",
  async () => {
    await using server = await LoadedServer.start();
    await using prometheus = await Prometheus.start(program!, `127.0.0.1:${server.port}`, rules);
    const rounds =
      'sum(streamer_sessions_refused_total{reason="overloaded"}) and sum(count_over_time(streamer_ready[1m])) > 5';
    const enough = waitUntil("two rounds of load, in some scrapes", async () => {
      return ((await prometheus.query(rounds))[0]?.value ?? 0) >= 2;
    });
    await Promise.race([enough, server.load]);
    const missing = async (): Promise<string[]> => {
      const problems: string[] = [];
      for (const { where, expression } of queries()) {
        const samples = await prometheus.query(expression).catch((error: unknown) => {
          problems.push(`${where}: ${String(error)}`);
          return undefined;
        });
        if (samples === undefined) continue;
        if (!OF_OTHERS.test(expression) && !samples.some(({ value }) => Number.isFinite(value)))
          problems.push(`${where}: no number for ${expression}`);
      }
      return problems;
    };
    // A rate is there with the second scrape of a series that has just begun.
    const complete = waitUntil("a number for every query", async () => (await missing()).length === 0);
    await Promise.race([complete.catch(async () => expect(await missing()).toEqual([])), server.load]);

    await waitUntil("all rules evaluated", async () => (await prometheus.brokenRules()).length === 0).catch(
      async () => {
        expect(await prometheus.brokenRules()).toEqual([]);
      },
    );
    const scraped = await prometheus.names();
    const foreign = [...usedNames()].filter((name) => FOREIGN.test(name));
    expect(foreign.filter((name) => !scraped.includes(name))).toEqual([]);
    const traced = await prometheus.exemplars("streamer_inference_compute_seconds_bucket");
    expect(traced.some(({ trace_id }) => /^[0-9a-f]{32}$/.test(trace_id ?? ""))).toBe(true);
  },
  300_000,
);
