let isProcess = false;

/** Declares that this whole process is a worker, which may end without harm to anything else. */
export function becomeWorkerProcess(): void {
  isProcess = true;
}

/** Returns whether this code runs in a worker: a thread, or a process of its own. */
export function isWorker(): boolean {
  return isProcess || !Bun.isMainThread;
}
