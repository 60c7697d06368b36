import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../documents.ts";
import { difference } from "./output.ts";
import type { Step } from "./steps.ts";

/** Time limit of one command, in seconds; all take a few. */
const LIMIT = 120;
/** Folders of the repository that experiments read. */
const FOLDERS = ["docs", "examples", "scripts", "src", "tests", "node_modules"];
/** Ports that chapters use, which may be taken; each is replaced by a free one. */
const PORTS = ["8080", "50051", "4318", "10300", "2700"];
/** Below the ports that systems give to outgoing connections. */
const FREE = { from: 20_000, to: 32_000 };

/** Other tests run beside: by its defaults, a server would admit fewer streams than the reader of a chapter needs. */
const BUSY_MACHINE = { STREAMER__LIMITS__ADMISSION__LOAD: "1000", STREAMER__LIMITS__ADMISSION__WAIT_MS: "60000" };

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

interface Background {
  readonly child: Child;
  /** Everything that it printed, once it has ended. */
  readonly log: Promise<string>;
}

/** Someone who follows a chapter literally: saves its files, runs its commands, compares what they print. */
export class Reader implements AsyncDisposable {
  readonly #folder: string;
  readonly #ports: ReadonlyMap<string, string>;
  readonly #others: Child[] = [];
  #server: Background | undefined;
  /** Whether the chapter has ended the server, gracefully or not: a second SIGTERM would end it at once. */
  #ended: "gracefully" | "killed" | undefined;
  /** What the server printed at its start, and what the commands of the fence printed. */
  #listening = "";
  #printed = "";

  private constructor(folder: string, ports: ReadonlyMap<string, string>) {
    this.#folder = folder;
    this.#ports = ports;
  }

  static async create(executable: string): Promise<Reader> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-guide-"));
    await cp(executable, join(folder, "streamer"));
    for (const name of FOLDERS) await symlink(join(root, name), join(folder, name));
    return new Reader(folder, new Map(PORTS.map((port) => [port, String(freePort())])));
  }

  /** Does what a step says. Rejects if a command fails, or prints something else than the chapter says. */
  async follow(step: Step): Promise<void> {
    if (step.kind === "file") await Bun.write(join(this.#folder, step.path), this.#here(step.text));
    else if (step.kind === "command") {
      if (step.first) this.#printed = "";
      await this.#type(step.text);
    } else if (step.kind === "output") {
      const printed = this.#printed === "" ? this.#listening : this.#printed;
      const wrong = difference(step.lines, this.#there(printed), step.numbersVary);
      if (wrong !== undefined) throw new Error(wrong);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    for (const child of this.#others) await end(child);
    await rm(this.#folder, { recursive: true });
  }

  async #type(text: string): Promise<void> {
    if (/^\.\/streamer serve\b(?!.*--print-config)/.test(text)) await this.#serve(text);
    else if (text.endsWith(" &")) this.#startBeside(text.replace(/ &$/, ""));
    else await this.#run(text);
  }

  /** Starts what runs beside the next commands, to the end of the chapter. */
  #startBeside(text: string): void {
    const child = this.#start(text);
    // Read, so that it never waits for its reader.
    void new Response(child.stdout).text();
    this.#others.push(child);
  }

  #start(text: string): Child {
    // One process group, so that everything that a command starts ends with it.
    return Bun.spawn(["setsid", "timeout", "-k", "5", String(LIMIT), "sh", "-c", `exec 2>&1\n${this.#here(text)}`], {
      cwd: /^(?:bun|npm) /.test(text) ? root : this.#folder,
      env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async #run(text: string): Promise<void> {
    const [, signal] = /kill -(\w+) \$\(pidof streamer\)/.exec(text) ?? [];
    if (signal === "TERM") this.#ended = "gracefully";
    if (signal === "9" || signal === "KILL") this.#ended = "killed";
    const child = this.#start(text);
    const [code, out] = await Promise.all([child.exited, new Response(child.stdout).text()]);
    if (code !== 0) throw new Error(`\`${text}\` ended with ${code}\n${out}`);
    this.#printed += out;
  }

  async #serve(text: string): Promise<void> {
    await this.#stop();
    this.#ended = undefined;
    const child = Bun.spawn(["sh", "-c", `exec ${this.#here(text)}`], {
      cwd: this.#folder,
      env: { ...process.env, ...BUSY_MACHINE, STREAMER__SERVER__PORT: this.#ports.get("8080") ?? "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const log = new Response(child.stderr).text();
    this.#server = { child, log };
    let said = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += part;
      if (/^listening on .*\n/m.test(said)) break;
    }
    if (!said.includes("listening on ")) {
      this.#server = undefined;
      throw new Error(`\`${text}\` printed "${said}" and ended with ${await child.exited}\n${await log}`);
    }
    this.#listening = said;
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    if (this.#ended === undefined) server.child.kill("SIGTERM");
    const code = await server.child.exited;
    if (code !== 0 && this.#ended !== "killed")
      throw new Error(`the server ended with ${code} after SIGTERM\n${await server.log}`);
  }

  /** Text of the chapter with the ports of this run, and with its server where the chapter looks for one. */
  #here(text: string): string {
    let here = text.replaceAll("$(pidof streamer)", String(this.#server?.child.pid ?? ""));
    for (const [port, own] of this.#ports) here = here.replaceAll(new RegExp(`\\b${port}\\b`, "g"), own);
    return here.replace(/\.\/streamer (?:send|bench|watch)\b(?! --help)[^|;&]*/g, (call) => {
      if (/ --addr\b/.test(call)) return call;
      const own = this.#ports.get(/ --grpc\b/.test(call) ? "50051" : "8080");
      return call.replace(/^\.\/streamer \w+/, (start) => `${start} --addr localhost:${own}`);
    });
  }

  /** What was printed, with the ports of the chapter. */
  #there(text: string): string {
    let there = text;
    for (const [port, own] of this.#ports) there = there.replaceAll(new RegExp(`\\b${own}\\b`, "g"), port);
    return there;
  }
}

async function end(child: Child): Promise<void> {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
  await child.exited;
}

/** A port that nothing listens on. */
function freePort(): number {
  for (;;) {
    const port = FREE.from + Math.floor(Math.random() * (FREE.to - FREE.from));
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).stop(true);
      return port;
    } catch {
      // Taken: another one.
    }
  }
}
