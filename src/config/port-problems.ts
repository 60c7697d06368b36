import { canonicalAddress, isLoopbackAddress } from "../lib/ip-address.ts";
import { dialectPorts, tcpDialectPorts } from "./dialect-ports.ts";
import type { Config } from "./settings.ts";

/**
 * Returns a sentence for each way in which the ports of dialects contradict the other settings.
 * @param shown returns a value and its source, by key
 */
export function portProblems(config: Config, shown: (key: string) => string): string[] {
  return [...anonymousPorts(config, shown), ...sharedPorts(config, shown)];
}

/** Nobody can show a token there, so the operator says who the clients are. */
function anonymousPorts(config: Config, shown: (key: string) => string): string[] {
  if (config.auth.tokens === "none") return [];
  const problems: string[] = [];
  for (const { section, host, allow, principal } of tcpDialectPorts(config)) {
    if (principal === "none") {
      const key = `${section}.principal`;
      problems.push(
        `${key}: found ${shown(key)}; allowed, together with ${section}.port and auth.tokens: ` +
          "a name in the file of tokens, because clients of this port cannot show one",
      );
    }
    if (!isLoopback(host) && allow.length === 0) {
      problems.push(
        `${section}.allow: found nothing; allowed, together with auth.tokens and ${section}.host ` +
          `${shown(`${section}.host`)}, which other machines can reach: the addresses of those that may use it`,
      );
    }
  }
  return problems;
}

function sharedPorts(config: Config, shown: (key: string) => string): string[] {
  const problems: string[] = [];
  const seen = new Map<number, string>();
  for (const { section, port } of [{ section: "server", port: config.server.port }, ...dialectPorts(config)]) {
    if (port === 0) continue;
    const key = `${section}.port`;
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
