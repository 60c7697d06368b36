import type { ClientTls } from "../../client/tls.ts";
import { tokenHeaders } from "../terminal/client-token.ts";
import { requestDirectly } from "../terminal/direct-request.ts";

/** What a client shows to the server, and how it checks it. */
export interface TargetAccess {
  readonly token: string | undefined;
  readonly tls: ClientTls;
}

/** Time for each request to the server's HTTP routes. */
const TIMEOUT_MS = 2_000;

/** What a server reports of itself; undefined where it does not. */
export interface ServerUse {
  /** Seconds of processor time so far. */
  readonly cpuSeconds: number | undefined;
  readonly rssBytes: number | undefined;
}

/** Returns the server's processor time and memory from its Prometheus metrics. */
export async function readServerUse(addr: URL, access: TargetAccess): Promise<ServerUse> {
  const text = await get(addr, "/metrics", access);
  const value = (name: string): number | undefined => {
    const found = new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+-]+)$`, "m").exec(text ?? "")?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return { cpuSeconds: value("process_cpu_seconds_total"), rssBytes: value("process_resident_memory_bytes") };
}

/** Returns `version` of the server's `info`, undefined if it has none. */
export async function readVersion(addr: URL, access: TargetAccess): Promise<string | undefined> {
  try {
    const info = JSON.parse((await get(addr, "/api/v1/info", access)) ?? "") as { version?: unknown };
    return typeof info.version === "string" ? info.version : undefined;
  } catch {
    return undefined;
  }
}

async function get(addr: URL, path: string, access: TargetAccess): Promise<string | undefined> {
  const url = new URL(path, addr);
  url.protocol = addr.protocol === "wss:" ? "https:" : "http:";
  try {
    const { status, body } = await requestDirectly(url, {
      timeoutMs: TIMEOUT_MS,
      headers: tokenHeaders(access.token),
      tls: access.tls,
    });
    return status === 200 ? body : undefined;
  } catch {
    return undefined;
  }
}
