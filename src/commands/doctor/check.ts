import type { Config, EffectiveConfig } from "../../config/config.ts";
import type { ReadText } from "../../lib/control-groups.ts";
import type { HostPrograms } from "../../pool/host-for.ts";
import type { ReportFinding } from "./finding.ts";
import type { RunningServer } from "./running-server.ts";

/** The machine as the checks see it. Tests replace it. */
export interface Machine {
  /** Returns the text of a file of the system, below /proc, /sys or /etc. */
  readonly read: ReadText;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970: the clock on the wall. */
  readonly now: () => number;
}

/** What a check examines. */
export interface Examined {
  readonly machine: Machine;
  readonly config: Config;
  readonly effective: EffectiveConfig;
  /** How this program runs models. */
  readonly programs: HostPrograms;
  /** The server that answers at the configured address; undefined: none does. Asked for once. */
  readonly running: () => Promise<RunningServer | undefined>;
  /** Shows on a terminal what takes long. */
  readonly show: (text: string) => void;
}

/** A check, which changes nothing: what it opens is closed again. */
export interface Check {
  /** One or two words. */
  readonly name: string;
  /** Longest time for it, ms, or how long that is by the configuration. */
  readonly limitMs: number | ((examined: Examined) => number);
  /** Reports one finding or more. */
  run(examined: Examined, report: ReportFinding): void | Promise<void>;
}
