import type { Config } from "../../config/config.ts";
import { ANY_HOST } from "../../config/host-pattern.ts";
import { matchesOrigin, parseOrigin } from "../../config/origin-pattern.ts";
import { describeValue, excerpt } from "../../lib/excerpt.ts";
import { type HostAndPort, isLoopbackHost, parseHostAndPort } from "../../lib/host-name.ts";
import { canonicalAddress, isLoopbackAddress } from "../../lib/ip-address.ts";
import { IpRanges } from "../../lib/ip-ranges.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { RateLimitedLog, type WarningLog } from "../../telemetry/log/rate-limited-log.ts";
import { readForwarded } from "./forwarded.ts";
import { OwnNames } from "./own-names.ts";

/** An HTTP request as its client sent it to the first proxy that is trusted, or to the server itself. */
export interface Visit {
  /** Network address in canonical form; empty when it is not known. */
  readonly address: string;
  /** Undefined: there is no `Host` header, as in HTTP/1.0. */
  readonly host: HostAndPort | undefined;
  /** The `Origin` header, which browsers send. */
  readonly origin: string | undefined;
  /** The client's connection is encrypted. */
  readonly tls: boolean;
  /** The client is a program of the machine itself, and no proxy. */
  readonly isLocal: boolean;
}

export interface EdgeOptions {
  readonly server: Pick<Config["server"], "host" | "hosts" | "allowed_origins" | "trusted_proxies">;
  /** Whether clients need a token. Default: nobody needs one. */
  readonly access?: { readonly required: boolean } | undefined;
  /** The address for operators: proxies, pages and `*` for names, which are for clients, do not count. Default: no. */
  readonly forOperators?: boolean | undefined;
  /** Name of the machine. Default: as the system has it. */
  readonly machine?: string | undefined;
  /** Returns the certificate in use. Default: there is no TLS. */
  readonly tls?: (() => { readonly names: string } | undefined) | undefined;
  readonly log: WarningLog;
  /** Returns milliseconds. */
  readonly clock: () => number;
}

/** Interval between two warnings of the same kind, so that strangers cannot fill the log. */
const WARNING_INTERVAL_MS = 10_000;

/** Decides by which names, from which web pages and through which proxies requests may come, whoever sends them. */
export class Edge {
  readonly #names: OwnNames;
  readonly #origins: readonly string[];
  readonly #proxies: IpRanges;
  readonly #access: { readonly required: boolean };
  readonly #forOperators: boolean;
  readonly #log: RateLimitedLog;

  constructor({ server, access = { required: false }, forOperators = false, machine, tls, log, clock }: EdgeOptions) {
    const hosts = forOperators ? server.hosts.filter((host) => host !== ANY_HOST) : server.hosts;
    this.#names = new OwnNames({ host: server.host, hosts }, machine, () => tls?.()?.names ?? "");
    this.#origins = forOperators ? [] : server.allowed_origins;
    this.#proxies = new IpRanges(forOperators ? [] : server.trusted_proxies);
    this.#access = access;
    this.#forOperators = forOperators;
    this.#log = new RateLimitedLog(log, { now: clock }, WARNING_INTERVAL_MS);
  }

  /**
   * Reads what a request, and the proxies that are trusted, report about its client. Returns an error when a header that
   * counts is not valid.
   * @param peer network address of whoever sent the request; empty when it is not known
   */
  read({ headers, url }: Request, peer: string): Visit | ProtocolError {
    const proxy = canonicalAddress(peer) ?? "";
    const isTrusted = (address: string): boolean => this.#proxies.has(address);
    try {
      const reported = isTrusted(proxy) ? readForwarded(headers, { proxy, isTrusted }) : {};
      const { address = proxy, host = readHost(headers), tls = url.startsWith("https:") } = reported;
      const isLocal = isLoopbackAddress(proxy) && !isTrusted(proxy);
      return { address, host, tls, isLocal, origin: headers.get("origin") ?? undefined };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (isTrusted(proxy)) this.#log.warn("proxy_header_refused", { proxy, reason: error.message });
      return error;
    }
  }

  /**
   * Returns why a request is refused that only reads, such as GET; undefined: it is not.
   * @param isPublic its route needs no token, although there are tokens
   */
  refusesRead(visit: Visit, isPublic = false): ProtocolError | undefined {
    return visit.host === undefined ? undefined : this.#foreignHost(visit.host, visit, isPublic);
  }

  /**
   * Returns why a request is refused that opens a session or changes something, such as POST; undefined: it is not.
   * @param isPublic its route needs no token, although there are tokens
   */
  refusesUse(visit: Visit, isPublic = false): ProtocolError | undefined {
    if (visit.host !== undefined) return this.#foreignHost(visit.host, visit, isPublic) ?? this.#foreignOrigin(visit);
    return new ProtocolError("invalid_request", "Host: found nothing; allowed: the name of the server");
  }

  /** Returns true if web pages of the request's origin may use the server. Other clients have no origin. */
  allowsOrigin({ origin, host }: Visit): boolean {
    if (origin === undefined) return true;
    const page = parseOrigin(origin)?.host;
    if (page !== undefined && host !== undefined) {
      if (page === host.host || (isLoopbackHost(page) && isLoopbackHost(host.host))) return true;
    }
    return this.#origins.some((pattern) => matchesOrigin(pattern, origin));
  }

  #foreignHost({ host }: HostAndPort, { address }: Visit, isPublic = false): ProtocolError | undefined {
    // A page that reaches the server by DNS rebinding has no token.
    if ((this.#access.required && !isPublic) || this.#names.has(host)) return undefined;
    const remedy = `if ${this.#forOperators ? "operators" : "clients"} may use this name, add it to server.hosts`;
    this.#log.warn("host_refused", { host: excerpt(host), ...(address && { address }), remedy });
    const own = "an IP address, localhost, the name of the machine, or a name in server.hosts";
    const except = this.#forOperators ? ` other than ${ANY_HOST}` : "";
    return new ProtocolError("host_not_allowed", `Host: found ${describeValue(host)}; allowed: ${own}${except}`);
  }

  #foreignOrigin(visit: Visit): ProtocolError | undefined {
    if (this.allowsOrigin(visit)) return undefined;
    const { origin = "", address } = visit;
    const remedy = this.#forOperators
      ? "no page of another origin may use the address for operators; server.allowed_origins is for the port of clients"
      : "if you trust this web page, add its origin to server.allowed_origins";
    this.#log.warn("origin_refused", { origin: excerpt(origin), address, remedy });
    const found = `Origin: found ${describeValue(origin)}`;
    const listed = this.#forOperators ? "" : ", and the origins in server.allowed_origins";
    return new ProtocolError("origin_not_allowed", `${found}; allowed: pages of this server${listed}`);
  }
}

/** Throws ProtocolError when it is no host. */
function readHost(headers: Headers): HostAndPort | undefined {
  const text = headers.get("host");
  if (text === null) return undefined;
  const host = parseHostAndPort(text);
  if (host !== undefined) return host;
  const message = `Host: found ${describeValue(text)}; allowed: a name or address, and a port`;
  throw new ProtocolError("invalid_request", message);
}
