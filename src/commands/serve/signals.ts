import { readFileSync } from "node:fs";
import { constants } from "node:os";

import type { Logger } from "../../telemetry/log/log.ts";
import { signalExit } from "../terminal/exit-codes.ts";
import { SignalRepeats } from "../terminal/signal-repeats.ts";

/**
 * Signals that shut the server down: SIGHUP comes when its terminal is closed, SIGQUIT from Ctrl-\ and from supervisors
 * that know it from nginx.
 */
const SHUTDOWN_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;
/**
 * Signals that other servers take as orders, such as to open their log files anew. Their default action would end the
 * process and all of its streams.
 */
const IGNORED_SIGNALS = ["SIGUSR1", "SIGUSR2"] as const;

export interface SignalOptions {
  /** Names of the signals that the process ignored when it was started. */
  readonly ignored?: ReadonlySet<string>;
  /** Handles SIGHUP, which then does not shut the server down. */
  readonly hangup?: (() => void) | undefined;
}

/**
 * Handles the signals of a server. Resolves with the name of the first signal that shuts it down; a second one, that
 * does not come together with the first, ends the process.
 * @param exit ends the process now
 */
export function shutdownSignal(
  log: Logger,
  exit: (code: number) => void,
  { ignored = ignoredAtStart(), hangup }: SignalOptions = {},
): Promise<string> {
  for (const signal of IGNORED_SIGNALS) process.on(signal, () => log.info("signal_ignored", { signal }));
  return new Promise((resolve) => {
    const repeats = new SignalRepeats();
    for (const signal of SHUTDOWN_SIGNALS) {
      // `nohup` starts a process that is to outlive its terminal.
      if (signal === "SIGHUP" && ignored.has(signal)) continue;
      if (signal === "SIGHUP" && hangup !== undefined) {
        process.on(signal, hangup);
        continue;
      }
      process.on(signal, () => {
        const kind = repeats.receive();
        if (kind === "first") resolve(signal);
        if (kind !== "second") return;
        log.warn("stopped_at_once", { signal });
        // Not by the default action of the signal: the kernel ignores it for process 1, the one of a container.
        exit(signalExit(signal));
      });
    }
  });
}

/** Returns the names of the signals that the process ignores; none where Linux does not tell. */
function ignoredAtStart(): ReadonlySet<string> {
  let mask: bigint;
  try {
    const [, digits = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    mask = BigInt(`0x${digits}`);
  } catch {
    return new Set();
  }
  const names = Object.entries(constants.signals).filter(([, number]) => (mask >> BigInt(number - 1)) & 1n);
  return new Set(names.map(([name]) => name));
}
