import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "./documents.ts";
import { tool } from "./requirements.ts";
import { ScrapedMetrics } from "./scraped-metrics.ts";
import { waitUntil } from "./wait.ts";
import { type ConnectOptions, WebSocketClient } from "./websocket-client.ts";

export const PROGRAMS = { haproxy: tool("haproxy", "haproxy"), nginx: tool("nginx", "nginx") };

export type ProxyKind = keyof typeof PROGRAMS;

const page = await Bun.file(join(root, "docs", "proxies.md")).text();

type Ports = readonly [one: number, two: number];

/** The configurations of docs/proxies.md in one language: first HTTP, then gRPC. */
function codeOf(kind: ProxyKind): readonly [http: string, grpc: string] {
  const [http, grpc] = [...page.matchAll(new RegExp(`^\`\`\`${kind}\n([^]*?)^\`\`\`$`, "gm"))].map(([, code]) => code);
  if (http === undefined || grpc === undefined) throw new Error(`docs/proxies.md: not two configurations of ${kind}`);
  return [http, grpc];
}

/** Returns the configuration of docs/proxies.md for two servers on these ports. */
export function documented(kind: ProxyKind, [one, two]: Ports): string {
  const [http] = codeOf(kind);
  return replaceEach(http, [/(?<= )(?::8000|8000(?=;))/, "PORT"], [":8080", `:${one}`], [":8081", `:${two}`]);
}

/** Returns the configuration of docs/proxies.md for gRPC. @param grpc ports of two servers @param http those of checks */
export function documentedGrpc(kind: ProxyKind, grpc: Ports, http: Ports): string {
  const [common, code] = codeOf(kind);
  const text = replaceEach(
    code,
    [/(?<= )(?::9000|9000(?= http2;))/, "PORT"],
    [":50051", `:${grpc[0]}`],
    [":50052", `:${grpc[1]}`],
  );
  if (kind === "nginx") return text;
  const checked = replaceEach(text, [" port 8080", ` port ${http[0]}`], [" port 8081", ` port ${http[1]}`]);
  return `${common.slice(0, common.indexOf("frontend"))}${checked}`;
}

/** Returns the configuration of docs/proxies.md in a language that has one block, with other ports. */
export function documentedWith(language: string, ports: Readonly<Record<number, number>>): string {
  const code = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "m").exec(page)?.[1];
  if (code === undefined) throw new Error(`docs/proxies.md: found no ${language}`);
  return code.replaceAll(/(?<=:)\d{4,5}\b/g, (port) => String(ports[Number(port)] ?? port));
}

/** Returns the line of configuration that docs/proxies.md has in its text and that begins with these words. */
export function documentedLine(beginning: string): string {
  const line = page.split("`").find((text) => text.startsWith(`${beginning} `));
  if (line === undefined) throw new Error(`docs/proxies.md: found no \`${beginning}\``);
  return line.replaceAll(/\s+/g, " ");
}

/** Replaces texts that must each occur once. */
export function replaceEach(text: string, ...changes: readonly [from: string | RegExp, to: string][]): string {
  return changes.reduce((changed, [from, to]) => {
    if (changed.split(from).length !== 2) throw new Error(`${from}: not found once in\n${changed}`);
    return changed.replace(from, () => to);
  }, text);
}

/** Creates a certificate of its own authority for localhost. @param program openssl @param folder for its files */
export async function createCertificate(
  program: string,
  folder: string,
): Promise<{ certificate: string; key: string; both: string }> {
  const [certificate, key, both] = ["certificate", "key", "both"].map((name) => {
    return join(folder, `${crypto.randomUUID()}-${name}.pem`);
  }) as [string, string, string];
  const kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  const files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate];
  const child = Bun.spawnSync([program, ...kind.split(" "), ...files]);
  if (!child.success) throw new Error(`openssl: ${child.stderr.toString()}`);
  await Bun.write(both, (await Bun.file(certificate).text()) + (await Bun.file(key).text()));
  return { certificate, key, both };
}

/** What nginx needs around an `http` configuration to run in a folder of its own, as any user. */
function nginxConfiguration(folder: string, http: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`);
  return `
    daemon off;
    master_process off;
    pid ${folder}/nginx.pid;
    error_log stderr;
    events {}
    http {
      access_log off;
      ${temporary.join("\n")}
      ${http}
    }`;
}

/** Returns a port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port = 0 } = probe;
  await probe.stop(true);
  return port;
}

/** A real proxy as a child process, on a free port of the loopback interface. */
export class ReverseProxy implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** What it has printed. */
  log = "";
  readonly #folder: string;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;

  /**
   * Starts a proxy and waits until it listens. `PORT` in the configuration stands for its port; for nginx it is the
   * content of the block `http`.
   */
  static async start(kind: ProxyKind, configuration: string): Promise<ReverseProxy> {
    const program = PROGRAMS[kind] ?? kind;
    const folder = await mkdtemp(join(tmpdir(), "streamer-proxy-"));
    const port = await freePort();
    const path = join(folder, "proxy.conf");
    const command = kind === "nginx" ? [program, "-p", folder, "-c", path] : [program, "-db", "-f", path];
    const text = configuration.replaceAll("PORT", `127.0.0.1:${port}`);
    const complete =
      kind === "nginx" ? nginxConfiguration(folder, text) : `global\n  stats socket ${folder}/stats\n${text}`;
    await Bun.write(path, complete);
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const proxy = new ReverseProxy(folder, port, child);
    try {
      await waitUntil(`${kind} to listen`, async () => {
        if (child.exitCode !== null) throw new Error(`${kind} exited: ${proxy.log}`);
        return await isListening(port);
      });
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
    return proxy;
  }

  private constructor(folder: string, port: number, child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
    this.#folder = folder;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) void this.#read(stream);
  }

  async connect(options: ConnectOptions = {}): Promise<WebSocketClient> {
    return await WebSocketClient.connect(this.port, options);
  }

  async metrics(): Promise<ScrapedMetrics> {
    return await ScrapedMetrics.from(this.url);
  }

  /** The states of HAProxy's servers by name, with the results of their last checks, such as `UP L7OK 200`. */
  async serverStates(): Promise<Record<string, string>> {
    const [names = [], ...rows] = (await this.#command("show stat")).split("\n").map((row) => row.split(","));
    const servers = rows
      .map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? ""])))
      .filter(({ svname = "" }) => !["", "FRONTEND", "BACKEND"].includes(svname));
    const stateOf = ({ status, check_status, check_code }: Record<string, string>): string =>
      [status, check_status, check_code].filter((text) => text !== "").join(" ");
    return Object.fromEntries(servers.map((row) => [row["svname"] ?? "", stateOf(row)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Sends a command to HAProxy's statistics socket. */
  async #command(text: string): Promise<string> {
    const socket = connect(join(this.#folder, "stats"));
    socket.end(`${text}\n`);
    let answer = "";
    for await (const part of socket) answer += String(part);
    return answer;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) this.log += decoder.decode(part, { stream: true });
  }
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
