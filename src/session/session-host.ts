import type { Opened } from "../dialects/dialect.ts";
import type { Caller } from "../protocol/caller.ts";
import type { Services } from "../stream/services.ts";
import type { Calls } from "./calls.ts";
import { QueueBudget } from "./queue-budget.ts";
import { Turns } from "./turns.ts";

const MIB = 1024 * 1024;

/** A session that is looked at often. */
export interface Watched {
  /** Returns false when it need not be called again. @param now milliseconds */
  tick(now: number): boolean;
  /** Ends the session after a fault of the server. */
  failed(error: unknown): void;
}

/** What all sessions of a server share. */
export interface SessionHost {
  readonly turns: Turns;
  /** Messages that have not been read. */
  readonly inboxes: QueueBudget;
  /** Jobs without a result, and results that clients have not taken. */
  readonly results: QueueBudget;
  /** Calls that connections watch. */
  readonly calls?: Pick<Calls, "anyOpen">;
  /** Lets `tick` be called about ten times a second. */
  watch(session: Watched): void;
}

/** @param watch lets `tick` of a session be called often @param turns default: those of the event loop */
export function openSessionHost(
  { clock, config }: Pick<Services, "clock" | "config">,
  watch: (session: Watched) => void = () => {},
  turns = new Turns(clock),
): SessionHost {
  const { inbox_total_mb, results_total_mb } = config.limits;
  return {
    turns,
    inboxes: new QueueBudget(inbox_total_mb * MIB),
    results: new QueueBudget(results_total_mb * MIB),
    watch,
  };
}

/** Returns true while a call is open that a connection watches. */
export function watchesOpenCalls({ calls }: Opened, caller: Caller, host: SessionHost): boolean {
  return calls?.role === "watches" && host.calls?.anyOpen(caller, calls.call) === true;
}
