import { readFileSync } from "node:fs";

import { descendantsOf } from "../../process-tree.ts";

/** Clock ticks a second in /proc/PID/stat: USER_HZ of Linux. */
const TICKS = 100;

/** A server in its own process: `streamer serve`, or anything that prints `listening on http://HOST:PORT`. */
export class ServerProcess implements AsyncDisposable {
  readonly host: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "ignore">;

  static async start(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const child = Bun.spawn([...command], {
      env: { ...process.env, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const { value } = await child.stdout.getReader().read();
    const [, host] = /^listening on http:\/\/(\S+)/.exec(new TextDecoder().decode(value)) ?? [];
    if (host === undefined) throw new Error(`${command.join(" ")} did not listen`);
    return new ServerProcess(host, child);
  }

  private constructor(host: string, child: Bun.Subprocess<"ignore", "pipe", "ignore">) {
    this.host = host;
    this.#child = child;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Milliseconds of processor time so far, user and system, all threads, and of all processes that it has started. */
  get cpuMs(): number {
    return [this.pid, ...descendantsOf(this.pid)].reduce((sum, pid) => sum + cpuMs(pid), 0);
  }

  /** Resident memory. */
  get rssMib(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(this.#proc("status"))?.[1] ?? 0) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  #proc(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, "utf8");
  }
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

/**
 * Opens a WebSocket. Rejects when the server refuses it.
 * @param address of the client, as a proxy reports it to a server that trusts this machine as a proxy
 */
export async function openSocket(url: string, address?: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { headers: address === undefined ? {} : { "x-forwarded-for": address } });
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
  });
  return socket;
}
