import { canonicalAddress, isLoopbackAddress } from "../lib/ip-address.ts";
import type { Config } from "./settings.ts";

/**
 * Returns a sentence for each way in which the ports of dialects contradict the other settings.
 * @param shown returns a value and its source, by key
 */
export function portProblems(config: Config, shown: (key: string) => string): string[] {
  return [...wyomingProblems(config, shown), ...sharedPorts(config, shown)];
}

/** Nobody can show a token there, so the operator says who the clients are. */
function wyomingProblems({ wyoming, auth }: Config, shown: (key: string) => string): string[] {
  if (wyoming.port === 0 || auth.tokens === "none") return [];
  const problems: string[] = [];
  if (wyoming.principal === "none") {
    problems.push(
      `wyoming.principal: found ${shown("wyoming.principal")}; allowed, together with wyoming.port and auth.tokens: ` +
        "a name in the file of tokens, because clients of this port cannot show one",
    );
  }
  if (!isLoopback(wyoming.host) && wyoming.allow.length === 0) {
    problems.push(
      `wyoming.allow: found nothing; allowed, together with auth.tokens and wyoming.host ${shown("wyoming.host")}, ` +
        "which other machines can reach: the addresses of those that may use it",
    );
  }
  return problems;
}

function sharedPorts({ server, wyoming, vosk }: Config, shown: (key: string) => string): string[] {
  const ports = { "server.port": server.port, "wyoming.port": wyoming.port, "vosk.port": vosk.port };
  const problems: string[] = [];
  const seen = new Map<number, string>();
  for (const [key, port] of Object.entries(ports)) {
    if (port === 0) continue;
    const other = seen.get(port);
    if (other === undefined) seen.set(port, key);
    else problems.push(`${key}: found ${shown(key)}; allowed: a port of its own, and ${other} is the same`);
  }
  return problems;
}

/** Returns true for an address of the machine itself. A name other than localhost could be any. */
function isLoopback(host: string): boolean {
  return host === "localhost" || isLoopbackAddress(canonicalAddress(host) ?? "");
}
