import { closeSync, openSync } from "node:fs";

import type { Arena } from "../audio/arena.ts";
import { libraryPath } from "../native/library.ts";
import { type RelayedLine, relayOutput } from "./child-output.ts";
import type { Launch } from "./launch.ts";

/** Time that a process has to end by SIGTERM, which its model may handle. Then it gets SIGKILL. */
export const TERM_GRACE_MS = 500;
/** Time in which the rest of its output is read after its end. A program that it has started may hold that open. */
export const OUTPUT_REST_MS = 2_000;

/** How a process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: string | undefined;
}

export interface ChildEvents {
  /** The process has ended and was reaped. Not within the constructor. */
  ended(end: ChildEnd): void;
  output(line: RelayedLine & { readonly stream: "stdout" | "stderr" }): void;
}

/** A process that runs a model, with what it inherits. Starts when it is constructed; throws when it cannot. */
export class ChildProcess {
  readonly pid: number;
  /** Descriptor of this end of its channel. It belongs to the caller. */
  readonly channelFd: number;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  #ended = false;
  #killTimer: ReturnType<typeof setTimeout> | undefined;

  constructor({ command, argv0, environment }: Launch, arena: Arena, { ended, output }: ChildEvents) {
    using inherited = new InheritedFiles(arena);
    const reading = new AbortController();
    this.#child = Bun.spawn([...command], {
      ...(argv0 !== undefined && { argv0 }),
      env: environment,
      // From the fourth on: CHANNEL_FD, ARENA_FD and LIBRARY_FD. A pipe is a pair of sockets here.
      stdio: ["ignore", "pipe", "pipe", "pipe", ...inherited.fds],
      onExit: (_child, code, signal) => {
        this.#ended = true;
        clearTimeout(this.#killTimer);
        setTimeout(() => reading.abort(), OUTPUT_REST_MS).unref();
        // What it has started must not outlive it.
        this.#signalGroup();
        ended({ code, signal: typeof signal === "number" ? nameOf(signal) : (signal ?? undefined) });
      },
    }) as Bun.Subprocess<"ignore", "pipe", "pipe">;
    this.pid = this.#child.pid;
    this.channelFd = (this.#child as unknown as { stdio: number[] }).stdio[3]!;
    for (const stream of ["stdout", "stderr"] as const) {
      void relayOutput(this.#child[stream], (line) => output({ ...line, stream }), reading);
    }
  }

  /** Ends the process: by SIGTERM, and after a grace by SIGKILL. */
  terminate(): void {
    if (this.#ended || this.#killTimer !== undefined) return;
    this.#child.kill("SIGTERM");
    this.#killTimer = setTimeout(() => this.kill(), TERM_GRACE_MS);
  }

  /** Ends the process, and what it has started, at once. */
  kill(): void {
    if (this.#ended) return;
    this.#signalGroup();
    this.#child.kill("SIGKILL");
  }

  /** Kills the process group of the process, if it has one. */
  #signalGroup(): void {
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // Nobody is in it.
    }
  }
}

function nameOf(signal: number): string {
  return `signal ${signal}`;
}

/** What a process inherits besides its channel: the arena and the C library, neither of which it can write to. */
class InheritedFiles implements Disposable {
  readonly fds: number[] = [];

  constructor(arena: Arena) {
    // Not a duplicate, which could be written to.
    this.fds.push(openSync(`/proc/self/fd/${arena.samples.fd}`, "r"));
    const library = libraryPath();
    if (library === undefined) return;
    try {
      this.fds.push(openSync(library, "r"));
    } catch {
      // A copy in a folder is removed when it is open. The process opens one of its own.
    }
  }

  [Symbol.dispose](): void {
    this.fds.forEach((fd) => closeSync(fd));
  }
}
