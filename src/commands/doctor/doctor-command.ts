import type { ArgsDef, CommandDef } from "citty";

import manifest from "../../../package.json" with { type: "json" };
import { ConfigError, type EffectiveConfig, loadConfig } from "../../config/config.ts";
import { readSystemText } from "../../lib/system-text.ts";
import type { HostPrograms } from "../../pool/host-for.ts";
import { CONFIG_FLAGS, readConfig } from "../serve/config-flags.ts";
import { EXIT, ExitError } from "../terminal/exit-codes.ts";
import { type GivenFlags, invalidValue, parseFlags } from "../terminal/flags.ts";
import { outputFailed, processOutput, usesColour } from "../terminal/output.ts";
import { Screen } from "../terminal/screen.ts";
import type { Check } from "./check.ts";
import { CHECKS } from "./checks.ts";
import type { Finding } from "./finding.ts";
import { plainLine, printable, Tally, terminalLines } from "./report.ts";
import { runChecks } from "./run-checks.ts";
import { findRunningServer, type RunningServer } from "./running-server.ts";

const FLAGS = {
  ...CONFIG_FLAGS,
  format: {
    type: "string",
    valueHint: "text|json",
    description: "Format of the report (default text)",
  },
  skip: {
    type: "string",
    valueHint: "models|CHECK...",
    description: `Leave a check out, such as models; may be repeated. Checks: ${CHECKS.map(({ name }) => name).join(", ")}`,
  },
} as const satisfies ArgsDef;

/** Checks that say something about the machine whatever the configuration is. */
const OF_MACHINE: ReadonlySet<string> = new Set(["system", "library", "clock", "programs"]);

/** Examines the machine and the configuration for `serve`, and says what is wrong and what to do. */
export function doctorCommand(programs: HostPrograms): CommandDef {
  return {
    args: FLAGS,
    async run({ rawArgs }) {
      const flags = parseFlags(rawArgs, FLAGS);
      const format = flags.string("format") ?? "text";
      if (format !== "text" && format !== "json") throw invalidValue("--format", format, "text, json");
      const checks = chosenChecks(flags);
      const broken = Promise.withResolvers<never>();
      const lost = (reason?: string): void =>
        broken.reject(reason === undefined ? new ExitError(EXIT.success) : outputFailed(reason));
      const out = processOutput(process.stdout, lost);
      const err = processOutput(process.stderr, () => undefined);
      const screen = new Screen(out, err, { colour: usesColour(process.stdout) });
      const findings: Finding[] = [];
      const tally = new Tally();
      const found = async (finding: Finding): Promise<void> => {
        tally.add(finding);
        if (format === "json") findings.push(printable(finding));
        else if (out.isTerminal)
          await screen.print(terminalLines(finding, out.columns, (...given) => screen.paint(...given)));
        else await screen.print(plainLine(finding));
      };
      const runs = await Promise.race([examine(flags, { checks, programs, screen, found }), broken.promise]);
      screen.clearLive();
      const report = { version: manifest.version, result: tally.worst, ...tally.counts, findings };
      await screen.print(format === "json" ? JSON.stringify(report, undefined, 2) : `\n${tally.summary(runs)}`);
      await Promise.race([out.flush(), broken.promise]);
      if (tally.counts.failure > 0) throw new ExitError(EXIT.failure);
    },
  };
}

/** Throws UsageError for a name that no check has. */
function chosenChecks(flags: GivenFlags): readonly Check[] {
  const skipped = flags.strings("skip");
  for (const name of skipped) {
    if (!CHECKS.some((check) => check.name === name)) {
      throw invalidValue("--skip", name, CHECKS.map((check) => check.name).join(", "));
    }
  }
  return CHECKS.filter(({ name }) => !skipped.includes(name));
}

interface Examination {
  readonly checks: readonly Check[];
  readonly programs: HostPrograms;
  readonly screen: Screen;
  readonly found: (finding: Finding) => Promise<void>;
}

/** Returns whether a server runs at the address already. */
async function examine(flags: GivenFlags, { checks, programs, screen, found }: Examination): Promise<boolean> {
  let effective: EffectiveConfig;
  let chosen = checks;
  try {
    effective = readConfig(flags);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) {
      await found({ verdict: "failure", subject: "configuration", found: problem });
    }
    chosen = checks.filter(({ name }) => OF_MACHINE.has(name));
    const left = checks.filter((check) => !chosen.includes(check) && check.name !== "configuration");
    const names = left.map(({ name }) => name).join(", ");
    if (left.length > 0) {
      const text = `not checked, because the configuration is not valid: ${names}`;
      await found({ verdict: "note", subject: "configuration", found: text });
    }
    effective = loadConfig();
  }
  let running: Promise<RunningServer | undefined> | undefined;
  const { config } = effective;
  const live = new LiveText(screen);
  await runChecks(
    chosen,
    {
      machine: { read: readSystemText, env: process.env, now: Date.now },
      config,
      effective,
      programs,
      running: () => (running ??= findRunningServer(config)),
      show: (text) => live.show(text),
    },
    { began: ({ name }) => live.show(`checking: ${name}`), found },
  );
  live[Symbol.dispose]();
  return (await running) !== undefined;
}

const REFRESH_MS = 500;
/** Checks that are shorter are not shown. */
const SHOWN_AFTER_S = 1;

/** A line that says what takes long, and for how long. */
class LiveText implements Disposable {
  readonly #screen: Screen;
  readonly #timer: Timer;
  #text = "";
  #sinceMs = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS);
  }

  show(text: string): void {
    this.#text = text;
    this.#sinceMs = performance.now();
    this.#screen.setLive("check", undefined);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#screen.setLive("check", undefined);
  }

  #refresh(): void {
    const seconds = (performance.now() - this.#sinceMs) / 1000;
    if (seconds >= SHOWN_AFTER_S) this.#screen.setLive("check", `${this.#text}, ${Math.round(seconds)} s`);
  }
}
