import type { Scheduler } from "./scheduler.ts";

/** What a dispatcher uses of a scheduler. */
export type JobScheduler = Pick<Scheduler, keyof Scheduler>;
