import type { DoneMessage, LoadMessage, ModelInfo, ToWorker } from "../worker/messages.ts";
import { decode } from "../worker/messages.ts";

/** Why a worker is no more. */
export interface Ending {
  /** What the worker said about it, or its exit code. */
  readonly cause: string;
  readonly stack?: string;
}

export interface WorkerEvents {
  ready(info: ModelInfo): void;
  done(message: DoneMessage): void;
  /** The worker said something that is no message of ours: a model that uses `postMessage` itself. */
  strange(): void;
  /** Exactly once, when the thread has ended, whatever ended it. Nothing follows it. */
  gone(ending: Ending): void;
}

/** One worker thread, from its spawn to its end. Nothing is said from inside the constructor. */
export class WorkerThread {
  readonly #events: WorkerEvents;
  #worker: Worker | undefined;
  #ending: Ending | undefined;

  constructor(url: string | URL, load: LoadMessage, events: WorkerEvents) {
    this.#events = events;
    try {
      this.#worker = new Worker(url);
    } catch (error) {
      this.#ending = { cause: error instanceof Error ? error.message : String(error) };
      queueMicrotask(() => this.#gone(this.#ending!));
      return;
    }
    this.#worker.onmessage = (event: MessageEvent) => this.#receive(event.data);
    this.#worker.onerror = (event: ErrorEvent) => {
      this.#ending ??= { cause: firstError(event.message), stack: event.message };
    };
    this.#worker.addEventListener("close", (event) => {
      const { code } = event as CloseEvent;
      this.#gone(this.#ending ?? { cause: `the thread ended with exit code ${code}` });
    });
    this.post(load);
  }

  post(message: ToWorker | string): void {
    this.#worker?.postMessage(message);
  }

  /** Ends the thread as soon as possible, also when it is blocked; `gone` follows. */
  terminate(): void {
    this.#worker?.terminate();
  }

  #receive(data: unknown): void {
    if (!this.#worker) return;
    const message = parse(data);
    switch (message?.["type"]) {
      case "ready":
        return this.#events.ready(message["info"] as ModelInfo);
      case "load_failed":
        this.#ending = { cause: String(message["message"]), stack: String(message["stack"] ?? "") };
        return this.terminate();
      case "done":
        if (Array.isArray(message["answers"])) return this.#events.done(message as unknown as DoneMessage);
    }
    this.#events.strange();
  }

  #gone(ending: Ending): void {
    this.#worker = undefined;
    this.#events.gone(ending);
  }
}

function parse(data: unknown): Record<string, unknown> | undefined {
  try {
    const message = decode(data);
    return typeof message === "object" && message !== null ? (message as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Bun gives an uncaught error as a printed page of source; its line "error: ..." says what it was. */
function firstError(page: string): string {
  const line = page.split("\n").find((text) => /^\s*(\w*error|BuildMessage)\b.*:/i.test(text));
  return (line ?? page).trim().slice(0, 500);
}
