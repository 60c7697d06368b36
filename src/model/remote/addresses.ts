import { lookup } from "node:dns/promises";

import type { Clock } from "../../lib/clock.ts";
import { inBrackets } from "../../lib/host-name.ts";
import { codeOf } from "../../lib/thrown.ts";
import type { LabelledAddress } from "./endpoints.ts";

/** Most addresses of one name that are used. */
const MAX_ADDRESSES = 64;

/** Time after which a name is looked up again that could not be. */
const FAILED_MS = 2_000;

/** Returns the addresses of the host with this name. */
export type LookUp = (name: string) => Promise<readonly string[]>;

export interface AddressesOptions {
  /** URLs of engines. With the prefix `dns+`, all addresses of the host are engines. */
  readonly urls: readonly string[];
  /** Time between look-ups, ms. */
  readonly resolveMs: number;
  readonly onChange: (addresses: readonly LabelledAddress[]) => void;
  readonly log: (message: string) => void;
  readonly clock: Clock;
  readonly lookUp?: LookUp;
}

/** The addresses of engines, some of which are looked up again and again. */
export class Addresses {
  readonly #options: AddressesOptions;
  readonly #found = new Map<string, readonly LabelledAddress[]>();
  /** Names that could not be looked up the last time. */
  readonly #failed = new Set<string>();
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(options: AddressesOptions) {
    this.#options = options;
  }

  /** Looks up the names, now and from time to time. Resolves when each was looked up once, also in vain. */
  async start(): Promise<void> {
    const { urls, onChange, resolveMs, clock } = this.#options;
    await Promise.all(urls.map((url) => this.#resolve(url)));
    if (this.#isClosed) return;
    onChange(urls.flatMap((url) => this.#found.get(url) ?? []));
    const delayMs = this.#failed.size > 0 ? Math.min(FAILED_MS, resolveMs) : resolveMs;
    if (urls.some(isName)) this.#cancel = clock.after(delayMs, () => void this.start());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  /** A name that cannot be looked up keeps the addresses that it had. */
  async #resolve(configured: string): Promise<void> {
    const label = new URL(configured.replace(/^dns\+/, "")).host;
    const url = configured.replace(/^dns\+/, "").replace(/\/+$/, "");
    if (!isName(configured)) return void this.#found.set(configured, [{ url, label }]);
    const { lookUp = systemLookUp, log } = this.#options;
    const { hostname, protocol, port, pathname } = new URL(url);
    try {
      const addresses = [...new Set(await lookUp(hostname))].sort().slice(0, MAX_ADDRESSES);
      this.#failed.delete(configured);
      const suffix = `${port === "" ? "" : `:${port}`}${pathname.replace(/\/+$/, "")}`;
      this.#found.set(
        configured,
        addresses.map((address) => ({ url: `${protocol}//${inBrackets(address)}${suffix}`, hostName: label, label })),
      );
    } catch (error) {
      if (!this.#failed.has(configured)) log(`${hostname} cannot be looked up: ${codeOf(error) ?? String(error)}`);
      this.#failed.add(configured);
    }
  }
}

function isName(url: string): boolean {
  return url.startsWith("dns+");
}

async function systemLookUp(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
