import { hostname } from "node:os";

import type { Config } from "../../config/config.ts";
import { matchesHost, spellHost } from "../../config/host-pattern.ts";
import { canonicalHost, inBrackets, isAddress, isLoopbackHost } from "../../lib/host-name.ts";

/** Domain of the names that machines give themselves on a local network (RFC 6762). */
const LOCAL_DOMAIN = ".local";

/**
 * The names that clients may reach the server by. A web page whose own name has been pointed to the address of the
 * server (DNS rebinding) sends that name, and is refused by it.
 */
export class OwnNames {
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly string[];

  /** @param machine name of the machine */
  constructor({ host, hosts }: Pick<Config["server"], "host" | "hosts">, machine: string = hostname()) {
    const name = canonicalHost(machine);
    const listened = canonicalHost(inBrackets(host));
    const names = [name, name && `${name}${LOCAL_DOMAIN}`, listened].filter((each) => each !== undefined);
    this.#names = new Set(names);
    this.#patterns = hosts.map(spellHost);
  }

  /**
   * Addresses are always own names: a page cannot get one by pointing a name somewhere.
   * @param host in canonical form
   */
  has(host: string): boolean {
    if (isAddress(host) || isLoopbackHost(host) || this.#names.has(host)) return true;
    return this.#patterns.some((pattern) => matchesHost(pattern, host));
  }
}
