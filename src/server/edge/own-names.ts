import { hostname } from "node:os";

import type { Config } from "../../config/config.ts";
import { matchesHost, spellHost } from "../../config/host-pattern.ts";
import { canonicalHost, inBrackets, isAddress, isLoopbackHost } from "../../lib/host-name.ts";

/** Domain of the names that machines give themselves on a local network (RFC 6762). */
const LOCAL_DOMAIN = ".local";
/** What the host names in the text of a certificate's names begin with. */
const DNS = "DNS:";

/**
 * The names that clients may reach the server by. A web page whose own name has been pointed to the address of the
 * server (DNS rebinding) sends that name, and is refused by it.
 */
export class OwnNames {
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly string[];
  readonly #certificate: () => string;
  /** The names of the certificate that was in use last, as its text and as patterns. */
  #certified: { readonly text: string; readonly patterns: readonly string[] } = { text: "", patterns: [] };

  /**
   * @param machine name of the machine
   * @param certificate returns the names of the certificate in use, as `DNS:example.org, IP Address:192.0.2.1`; empty:
   * there is no TLS
   */
  constructor(
    { host, hosts }: Pick<Config["server"], "host" | "hosts">,
    machine: string = hostname(),
    certificate: () => string = () => "",
  ) {
    const name = canonicalHost(machine);
    const listened = canonicalHost(inBrackets(host));
    const names = [name, name && `${name}${LOCAL_DOMAIN}`, listened].filter((each) => each !== undefined);
    this.#names = new Set(names);
    this.#patterns = hosts.map(spellHost);
    this.#certificate = certificate;
  }

  /**
   * Addresses are always own names: a page cannot get one by pointing a name somewhere. So are the names in the
   * certificate: a browser that reaches the server by another name ends the handshake.
   * @param host in canonical form
   */
  has(host: string): boolean {
    if (isAddress(host) || isLoopbackHost(host) || this.#names.has(host)) return true;
    return [...this.#patterns, ...this.#certifiedPatterns()].some((pattern) => matchesHost(pattern, host));
  }

  #certifiedPatterns(): readonly string[] {
    const text = this.#certificate();
    if (text !== this.#certified.text) {
      const names = text.split(", ").filter((name) => name.startsWith(DNS));
      this.#certified = { text, patterns: names.map((name) => spellHost(name.slice(DNS.length))) };
    }
    return this.#certified.patterns;
  }
}
