import { tokenHeaders } from "../terminal/client-token.ts";
import { requestDirectly } from "../terminal/direct-request.ts";

/** Time for each request to the server's HTTP routes. */
const TIMEOUT_MS = 2_000;

/** What a server reports of itself; undefined where it does not. */
export interface ServerUse {
  /** Seconds of processor time so far. */
  readonly cpuSeconds: number | undefined;
  readonly rssBytes: number | undefined;
}

/** Returns the server's processor time and memory from its Prometheus metrics. */
export async function readServerUse(addr: URL, token: string | undefined): Promise<ServerUse> {
  const text = await get(addr, "/metrics", token);
  const value = (name: string): number | undefined => {
    const found = new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+-]+)$`, "m").exec(text ?? "")?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return { cpuSeconds: value("process_cpu_seconds_total"), rssBytes: value("process_resident_memory_bytes") };
}

/** Returns `version` of the server's `info`, undefined if it has none. */
export async function readVersion(addr: URL, token: string | undefined): Promise<string | undefined> {
  try {
    const info = JSON.parse((await get(addr, "/api/v1/info", token)) ?? "") as { version?: unknown };
    return typeof info.version === "string" ? info.version : undefined;
  } catch {
    return undefined;
  }
}

async function get(addr: URL, path: string, token: string | undefined): Promise<string | undefined> {
  const url = new URL(path, addr);
  url.protocol = addr.protocol === "wss:" ? "https:" : "http:";
  try {
    const { status, body } = await requestDirectly(url, { timeoutMs: TIMEOUT_MS, headers: tokenHeaders(token) });
    return status === 200 ? body : undefined;
  } catch {
    return undefined;
  }
}
