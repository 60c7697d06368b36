import { cpus, loadavg } from "node:os";

import type { CommandDef } from "citty";

import { insecureWarning, readClientTls } from "../terminal/client-tls.ts";
import { tokenWarning, unauthorizedHint } from "../terminal/client-token.ts";
import { EXIT, ExitError } from "../terminal/exit-codes.ts";
import { formatNumber } from "../terminal/numbers.ts";
import { outputFailed, processOutput, usesColour } from "../terminal/output.ts";
import { Screen } from "../terminal/screen.ts";
import { printableUrl } from "../terminal/server-address.ts";
import { CONFIRMING_ROUNDS, findCapacity, type Trial } from "./capacity.ts";
import { htmlReport } from "./html-report.ts";
import { ownProgram, PART_ARGUMENT, runPartProgram, runPlan } from "./parts.ts";
import type { Plan } from "./plan.ts";
import { BENCH_FLAGS, type BenchSettings, parseBenchSettings, partsFor } from "./settings.ts";
import { summarise, type Summary, violations } from "./summary.ts";
import type { Tally } from "./tally.ts";
import { readServerUse, readVersion, type ServerUse } from "./target.ts";
import { describeAudio, line, summaryLines } from "./text-report.ts";

/** The command `bench`: a load generator for any server that speaks the protocol. */
export const benchCommand: CommandDef = {
  args: BENCH_FLAGS,
  async run({ rawArgs }) {
    if (rawArgs[0] === PART_ARGUMENT) return await runPartProgram();
    const settings = parseBenchSettings(rawArgs);
    const broken = Promise.withResolvers<never>();
    const out = processOutput(process.stdout, (reason) =>
      broken.reject(reason === undefined ? new ExitError(EXIT.success) : outputFailed(reason)),
    );
    const err = processOutput(process.stderr, () => undefined);
    const screen = new Screen(out, err, { colour: usesColour(process.stdout) });
    const { plan, token } = settings;
    for (const warning of [tokenWarning(new URL(plan.addr), token), insecureWarning(plan.tls)]) {
      if (warning !== undefined) await screen.notice(warning);
    }
    const work = settings.findCapacity ? searchCapacity(settings, screen) : measureOnce(settings, screen);
    const code = await Promise.race([work, broken.promise]);
    await Promise.race([out.flush(), broken.promise]);
    if (code !== EXIT.success) throw new ExitError(code);
  },
};

interface Measured {
  readonly summary: Summary;
  readonly tally: Tally;
  readonly load: { before: string; after: string };
}

async function measure(plan: Plan, token: string | undefined, screen: Screen): Promise<Measured> {
  const addr = new URL(plan.addr);
  const total = (plan.rampMs + plan.settleMs + plan.countMs) / 1000;
  const before = machineLoad();
  const access = { token, tls: await readClientTls(plan.tls) };
  const uses: Promise<ServerUse>[] = [];
  const result = await runPlan(
    plan,
    ownProgram(),
    {
      counting: () => uses.push(readServerUse(addr, access)),
      progress: (open, elapsedMs) => {
        const streams =
          plan.parts > 1 ? `${formatNumber(open * plan.parts)} streams (estimated)` : `${formatNumber(open)} streams`;
        screen.setLive("run", `${(elapsedMs / 1000).toFixed(0)} of ${total} s, ${streams}`);
      },
    },
    token,
  );
  screen.clearLive();
  const [begun, ended] = [...(await Promise.all(uses))];
  const cpuSeconds =
    begun?.cpuSeconds === undefined || ended?.cpuSeconds === undefined
      ? undefined
      : ended.cpuSeconds - begun.cpuSeconds;
  const summary = summarise(result, { cpuSeconds, rssBytes: ended?.rssBytes });
  return { summary, tally: result.tally, load: { before, after: machineLoad() } };
}

async function measureOnce(settings: BenchSettings, screen: Screen): Promise<number> {
  const { plan, token, thresholds, format, html } = settings;
  const header = await headerLines(plan, token);
  if (format === "text") for (const text of header) await screen.print(text);
  const { summary, tally, load } = await measure(plan, token, screen);
  const found = violations(summary, thresholds);
  const lines = [
    ...summaryLines(summary, plan.countMs / 1000),
    line("machine", `load ${load.before} before, ${load.after} after`),
    line("result", found.length === 0 ? "ok" : "failed"),
  ];
  if (format === "json")
    await screen.print(JSON.stringify({ plan: printable(plan), ...summary, machine: load, violations: found }));
  else for (const text of lines) await screen.print(text);
  for (const text of found) await screen.notice(`problem: ${text}`);
  if (summary.refusals["HTTP 401"] !== undefined) await screen.notice(`HTTP 401: ${unauthorizedHint(token)}`);
  if (html !== undefined) {
    const title = `${formatNumber(plan.streams)} streams to ${printable(plan).addr}`;
    await Bun.write(html, htmlReport(title, [...header, ...lines, ...found], summary, tally));
  }
  return found.length === 0 ? EXIT.success : EXIT.failure;
}

async function searchCapacity(settings: BenchSettings, screen: Screen): Promise<number> {
  const { plan, token, thresholds, format } = settings;
  const trials: (Trial & { summary: Summary })[] = [];
  if (format === "text") for (const text of await headerLines(plan, token)) await screen.print(text);
  const capacity = await findCapacity(plan.streams, async (streams) => {
    const parts = partsFor(streams, settings.processes);
    const { summary } = await measure({ ...plan, streams, parts }, token, screen);
    const found = violations(summary, thresholds);
    const trial = { streams, holds: found.length === 0, generatorLimited: summary.generator_limited, summary };
    trials.push(trial);
    const p99 = summary.latency.final?.p99;
    const limited = trial.generatorLimited ? ", the generator may be the bottleneck" : "";
    const outcome = trial.holds ? "holds" : `fails: ${found[0]}`;
    if (format === "text") {
      await screen.print(line(formatNumber(streams), `p99 ${p99 ?? "-"} ms, ${outcome}${limited}`));
    }
    return trial;
  });
  if (format === "json") await screen.print(JSON.stringify({ plan: printable(plan), capacity, trials }));
  else {
    const reasons = {
      bounds: "",
      most: "; more streams were not tried (--streams)",
      generator: "; beyond it the load generator was the bottleneck, so the server may carry more",
    };
    const above = capacity.failedAt === undefined ? "" : `, ${formatNumber(capacity.failedAt)} did not hold`;
    const held = `held in ${capacity.confirmed} of ${CONFIRMING_ROUNDS} rounds${above}`;
    await screen.print(line("capacity", `${formatNumber(capacity.streams)} streams: ${held}${reasons[capacity.end]}`));
  }
  return capacity.streams > 0 ? EXIT.success : EXIT.failure;
}

async function headerLines(plan: Plan, token: string | undefined): Promise<string[]> {
  const version = await readVersion(new URL(plan.addr), { token, tls: await readClientTls(plan.tls) });
  const [{ model } = { model: "unknown processor" }] = cpus();
  const processes = plan.parts > 1 ? `, ${plan.parts} processes of the generator` : "";
  return [
    line("server", `${printable(plan).addr}${version === undefined ? "" : `, version ${version}`}`),
    line("machine", `${model}, ${cpus().length} cores${processes}`),
    line("sent", describeAudio(plan.audio)),
  ];
}

/** Returns a plan for people to read, without credentials and query of the address. */
function printable(plan: Plan): Plan {
  return { ...plan, addr: printableUrl(new URL(plan.addr)) };
}

function machineLoad(): string {
  return (loadavg()[0] ?? 0).toFixed(2);
}
