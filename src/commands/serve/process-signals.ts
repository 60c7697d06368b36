import type { SupervisorLink } from "../../server/processes/supervisor-link.ts";
import { signalExit } from "../terminal/exit-codes.ts";
import { SignalRepeats } from "../terminal/signal-repeats.ts";

/** Signals that a terminal sends to all processes in front of it. The supervisor receives them, too, and decides. */
const LEFT_TO_SUPERVISOR = ["SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/**
 * Handles the signals of one of several processes. Resolves with the reason why it is to shut down: the supervisor says
 * so or has ended, or SIGTERM. A second SIGTERM ends the process.
 */
export function processSignals(link: SupervisorLink, exit: (code: number) => void): Promise<string> {
  for (const signal of LEFT_TO_SUPERVISOR) process.on(signal, () => undefined);
  return new Promise((resolve) => {
    const repeats = new SignalRepeats();
    process.on("SIGTERM", () => {
      const kind = repeats.receive();
      if (kind === "first") resolve("SIGTERM");
      if (kind === "second") exit(signalExit("SIGTERM"));
    });
    link.whenDrained(() => resolve("requested"));
    link.whenGone(() => resolve("supervisor_gone"));
  });
}
