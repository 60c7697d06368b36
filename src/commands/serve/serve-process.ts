import { createWriteStream, writeFileSync } from "node:fs";

import { KeyringError } from "../../auth/keyring.ts";
import { TokenListError } from "../../auth/token-list.ts";
import { MAX_USED_TICKETS, UsedTickets } from "../../auth/used-tickets.ts";
import { messageOf } from "../../lib/thrown.ts";
import { native } from "../../native/library.ts";
import { SessionTable } from "../../native/session-table.ts";
import { LAST_LOG_FD, type ServeOrder, TABLE_FD, TICKETS_FD } from "../../server/processes/messages.ts";
import { SharedPlaces } from "../../server/processes/shared-places.ts";
import { SupervisorLink } from "../../server/processes/supervisor-link.ts";
import { Server } from "../../server/server.ts";
import { LineOutput } from "../../telemetry/log/line-output.ts";
import { openLog } from "../../telemetry/log/log.ts";
import { takeSnapshot } from "../../telemetry/metrics/metric-snapshot.ts";
import { takeProcessSnapshot } from "../../telemetry/metrics/process-metrics.ts";
import { ServerMetrics } from "../../telemetry/metrics/server-metrics.ts";
import { openTraceExport } from "../../telemetry/tracing/trace-export.ts";
import { EXIT } from "../terminal/exit-codes.ts";
import { listenFailure, tokenFailure } from "./listen-failure.ts";
import { processSignals } from "./process-signals.ts";
import type { ServeOptions } from "./single-server.ts";
import { surviveUncaught } from "./uncaught.ts";

const FLUSH_LIMIT_MS = 1_000;

/** Runs one of several processes. Only a supervisor starts it, and sends it what to do. */
export async function serveProcess(options: ServeOptions): Promise<void> {
  nameProcess();
  const link = new SupervisorLink();
  const order = await link.order;
  // Undefined: the supervisor ended before it said anything.
  const code = order === undefined ? EXIT.success : await run(order, link, options);
  if (code !== EXIT.success) options.exit(code);
}

/** Names the process for `ps` and `top`: it was started as /proc/self/exe, and would be called `exe`. */
function nameProcess(): void {
  try {
    writeFileSync("/proc/self/comm", "streamer");
  } catch {
    // Only a name.
  }
}

/** Returns the exit code. */
async function run(order: ServeOrder, link: SupervisorLink, options: ServeOptions): Promise<number> {
  native();
  const { config, number } = order;
  const metrics = new ServerMetrics();
  const dropped = () => metrics.families.runtime.logDropped.with({}).add();
  let output = new LineOutput(process.stderr, 2, { dropped });
  // The supervisor prints these lines. Without it they go where it would have printed them.
  link.whenGone(() => (output = new LineOutput(createWriteStream("", { fd: LAST_LOG_FD }), LAST_LOG_FD, { dropped })));
  using opened = openLog({ level: config.log.level, write: (line) => output.write(line) });
  const log = opened.with({ process: number });
  surviveUncaught(log);
  const stopped = processSignals(link, options.exit);
  const traceExport = await openTraceExport({
    service: "streamer",
    version: options.version,
    env: process.env,
    log,
    spanCounter: (fate) => metrics.families.server.spans.with({ fate }),
  });
  using table = SessionTable.open(TABLE_FD, order.capacity);
  const { owner, secret, startedAt, tokens, count, listensWhenLoaded, metricsPlace } = order;
  const used = new UsedTickets(SessionTable.open(TICKETS_FD, MAX_USED_TICKETS), owner, count);
  const places = new SharedPlaces({ table, owner, limit: config.limits.max_sessions, secret });
  let server: Server;
  try {
    server = new Server({
      config,
      log,
      program: options,
      telemetry: { metrics, tracing: traceExport?.tracing },
      tls: order.credentials,
      process: {
        ...{ number, count, places, listensWhenLoaded, metricsPlace },
        calls: link.calls,
        access: { secret, startedAt, used, tokens },
      },
    });
  } catch (error) {
    if (error instanceof TokenListError) return link.fail(EXIT.usage, tokenFailure(error));
    if (error instanceof KeyringError) return link.fail(EXIT.usage, `invalid configuration:\n  ${error.message}`);
    return link.fail(EXIT.failure, listenFailure(config.server, error));
  }
  link.whenCredentials((credentials) => {
    try {
      server.useCredentials(credentials);
    } catch (error) {
      log.error("certificate_refused", { reason: messageOf(error) });
    }
  });
  const snapshot = async () => [...takeSnapshot(metrics.registry), ...(await takeProcessSnapshot())];
  link.answerWith({ pages: server.pages, live: () => server.live(), metrics: snapshot });
  let isStuck = false;
  try {
    const loaded = server.load().then(() => "loaded" as const);
    const cause = await Promise.race([loaded, stopped]);
    if (cause === "loaded") {
      await link.send({ type: "ready", url: server.url });
      const stuck = server.stuck.then((reason) => {
        isStuck = true;
        log.error("exiting", { reason: `${reason}; the process exits`, sessions: server.sessions });
      });
      const reason = await Promise.race([stopped, stuck]);
      if (reason !== undefined) log.info("process_draining", { reason, sessions: server.sessions });
      await link.send({ type: "draining" });
      await server.drain();
      await link.send({ type: "last", metrics: await snapshot() });
    }
  } catch (error) {
    return await link.fail(EXIT.usage, messageOf(error));
  } finally {
    await server.close();
    await traceExport?.close();
    await output.flush(FLUSH_LIMIT_MS);
  }
  return isStuck ? EXIT.failure : EXIT.success;
}
