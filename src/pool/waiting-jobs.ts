import { FairQueue } from "../lib/fair-queue.ts";
import type { QueuedJob, SchedulerLane } from "./queued-job.ts";

/**
 * Jobs that wait for a worker: two queues with turns, and for each lane the finals that its limit holds back. A held
 * back final does not delay jobs of other lanes.
 */
export class WaitingJobs {
  readonly finals = new FairQueue<QueuedJob>();
  readonly interims = new FairQueue<QueuedJob>();
  readonly #laneLimit: number;
  #blocked = 0;

  /** @param laneLimit finals of one lane that may be in the queue or run at once */
  constructor(laneLimit: number) {
    this.#laneLimit = laneLimit;
  }

  get finalsCount(): number {
    return this.finals.size + this.#blocked;
  }

  get interimsCount(): number {
    return this.interims.size;
  }

  addFinal(job: QueuedJob, now: number): void {
    this.#blocked++;
    job.lane.blocked.append(job.blockedLink);
    this.unblock(job.lane, now);
  }

  /** Queues a final that has run before the others of its lane. */
  addAgain(job: QueuedJob, now: number): void {
    job.runnableMs = now;
    this.finals.addFirst(job.entry);
  }

  /** Undoes that the job was taken from its queue. */
  giveBack(job: QueuedJob): void {
    const queue = job.kind === "final" ? this.finals : this.interims;
    const isBehind = ({ order }: QueuedJob): boolean => order > job.order;
    queue.giveBack(job.entry, isBehind, ({ runnableMs }) => runnableMs > job.runnableMs);
  }

  /** Queues an interim in the place of the one that its lane has waiting, if there is one. */
  addInterim(job: QueuedJob, now: number): void {
    const { lane } = job;
    const replaced = lane.waitingInterim;
    job.runnableMs = replaced?.runnableMs ?? now;
    if (replaced === undefined) this.interims.add(job.entry);
    else this.interims.replace(replaced.entry, job.entry);
    lane.waitingInterim = job;
  }

  /** Returns the interim that was waiting, if there was one. */
  removeInterim(lane: SchedulerLane): QueuedJob | undefined {
    const interim = lane.waitingInterim;
    if (interim === undefined) return undefined;
    this.interims.remove(interim.entry);
    lane.waitingInterim = undefined;
    return interim;
  }

  /** Queues finals that the lane's limit held back, as far as it allows now. */
  unblock(lane: SchedulerLane, now: number): void {
    while (lane.blocked.size > 0 && lane.finals.entries.size + lane.runningFinals < this.#laneLimit) {
      const job = lane.blocked.shift()!;
      this.#blocked--;
      job.runnableMs = now;
      this.finals.add(job.entry);
    }
  }

  /** Removes and returns all jobs of the lane. */
  removeLane(lane: SchedulerLane): QueuedJob[] {
    const removed: QueuedJob[] = [];
    for (let entry = lane.finals.entries.first; entry !== undefined; entry = lane.finals.entries.first) {
      this.finals.remove(entry);
      removed.push(entry.item);
    }
    for (let job = lane.blocked.shift(); job !== undefined; job = lane.blocked.shift()) {
      this.#blocked--;
      removed.push(job);
    }
    const interim = this.removeInterim(lane);
    if (interim !== undefined) removed.push(interim);
    return removed;
  }

  /** Removes and returns all jobs. */
  removeAll(): QueuedJob[] {
    const removed: QueuedJob[] = [];
    const next = (): QueuedJob | undefined => this.finals.next() ?? this.interims.next();
    for (let job = next(); job !== undefined; job = next()) removed.push(...this.removeLane(job.lane));
    return removed;
  }
}
