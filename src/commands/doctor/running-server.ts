import type { Config } from "../../config/config.ts";
import { inBrackets } from "../../lib/host-name.ts";
import { codeOf } from "../../lib/thrown.ts";
import { type DirectResponse, requestDirectly } from "../terminal/direct-request.ts";
import { findPortOwner, type PortOwner } from "./port-owner.ts";

/** Longest time for each answer. */
const ANSWER_MS = 2_000;

/** A Streamer that answers at the configured address. */
export interface RunningServer {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly url: string;
  /** Undefined: its front page needs a token. */
  readonly version: string | undefined;
  readonly state: "ready" | "not ready" | "unknown";
  /** Why it is not ready, or why that is not known. */
  readonly reason?: string;
}

/** Addresses that mean every address of this machine, and one to reach them at. */
const UNSPECIFIED: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Returns the Streamer at `server.host` and `server.port`; undefined: there is none. Reads pages only. One that wants a
 * token or a certificate to be shown is recognised by its process.
 */
export async function findRunningServer({ server }: Pick<Config, "server">): Promise<RunningServer | undefined> {
  if (server.port === 0) return undefined;
  const host = inBrackets(UNSPECIFIED[server.host] ?? server.host);
  const configured = server.tls_cert === "none" ? "http" : "https";
  // It may have been started with other settings.
  for (const scheme of [configured, configured === "http" ? "https" : "http"]) {
    const url = `${scheme}://${host}:${server.port}`;
    const found = await ask(url);
    if (found === "none") return undefined;
    if (found !== "no streamer") return found;
  }
  const owner = await findPortOwner(server.port);
  if (owner === undefined || !isStreamer(owner)) return undefined;
  const url = `${configured}://${host}:${server.port}`;
  return { url, version: undefined, state: "unknown", reason: "it does not show its state to everybody" };
}

/** Returns true for a process of this program. */
function isStreamer({ name }: PortOwner): boolean {
  return name.startsWith("streamer");
}

async function ask(url: string): Promise<RunningServer | "none" | "no streamer"> {
  try {
    const health = await request(`${url}/api/v1/health`);
    if (!health.body.includes('"healthy"')) return "no streamer";
    const [front, ready] = [await request(`${url}/`), await request(`${url}/api/v1/ready`)];
    const [, version] = /^Streamer (\S+)/.exec(front.body) ?? [];
    if (ready.status === 200) return { url, version, state: "ready" };
    return { url, version, state: ready.status === 503 ? "not ready" : "unknown", reason: reasonOf(ready) };
  } catch (error) {
    return codeOf(error) === "ECONNREFUSED" || codeOf(error) === "ConnectionRefused" ? "none" : "no streamer";
  }
}

/** The certificate is not checked: nothing is sent, and the server is one of this machine. */
function request(url: string): Promise<DirectResponse> {
  return requestDirectly(new URL(url), { timeoutMs: ANSWER_MS, tls: { insecure: true } });
}

/** Returns the message of an error event, or what there is instead. */
function reasonOf({ status, body }: DirectResponse): string {
  try {
    const { message } = JSON.parse(body) as { readonly message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // Another program between here and the server.
  }
  return `HTTP ${status}`;
}
