import { randomBytes } from "node:crypto";

import { machineUptime } from "../lib/machine-uptime.ts";
import { bearerToken, type Credentials } from "../protocol/credentials.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { AuthFamilies } from "../telemetry/metrics/families/auth.ts";
import { type Grant, isExpired } from "./grant.ts";
import { readKeyring } from "./keyring-file.ts";
import type { Keyring } from "./keyring.ts";
import { Refusals } from "./refusals.ts";
import { type Issuer, type Moment, TICKET_MS, Tickets } from "./tickets.ts";
import { TokenFile } from "./token-file.ts";
import { UsedTickets } from "./used-tickets.ts";

const SECRET_BYTES = 32;
/** Purpose of the keys that seal tickets. */
const PURPOSE = "tickets";

/** What the processes of one server share. */
export interface SharedAccess {
  /** Secret of the server. */
  readonly secret: Uint8Array;
  readonly used: UsedTickets;
  /** When the server was started, milliseconds of uptime. */
  readonly startedAt: number;
  /** The text of the token file that the supervisor uses; undefined: no file is configured. */
  readonly tokens: string | undefined;
}

export interface AccessOptions {
  /** Path of the token file, and that of the keys which all servers of a deployment share; `none`: there is none. */
  readonly auth: { readonly tokens: string; readonly secret_file: string };
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** Default: nothing is counted. */
  readonly metrics?: AuthFamilies | undefined;
  /** Default: the server has one process. */
  readonly shared?: SharedAccess | undefined;
  /** Returns milliseconds since 1970: the clock on the wall, by which tokens expire. */
  readonly now?: () => number;
  /** Returns milliseconds since the machine was started. */
  readonly uptime?: () => number;
}

/** A ticket, and the milliseconds for which it is valid. */
export interface IssuedTicket {
  readonly ticket: string;
  readonly expires_in_ms: number;
}

/**
 * Who may connect: the tokens of a file, and tickets for them. All refusals are the same, whatever was wrong. Without
 * a token file everybody may, and nothing that a client shows is looked at.
 */
export class Access implements Disposable {
  /** The keys of the deployment; undefined: there are none. */
  readonly keyring: Keyring | undefined;
  readonly #file: TokenFile | undefined;
  readonly #secrets: readonly [Uint8Array, ...Uint8Array[]];
  readonly #issuer: Issuer;
  readonly #now: () => number;
  readonly #uptime: () => number;
  readonly #metrics: AuthFamilies | undefined;
  readonly #refusals: Refusals;
  #used: UsedTickets | undefined;
  #tickets: Tickets | undefined;

  /** Reads the tokens and the keys. Throws TokenListError or KeyringError when they cannot be used. */
  constructor({ auth, log, metrics, shared, now = Date.now, uptime = machineUptime }: AccessOptions) {
    const { tokens, secret_file } = auth;
    this.#file = tokens === "none" ? undefined : new TokenFile({ path: tokens, log, known: shared?.tokens });
    this.keyring = readKeyring(secret_file);
    this.#issuer = { secret: shared?.secret ?? randomBytes(SECRET_BYTES), startedAt: shared?.startedAt ?? uptime() };
    const [current, ...others] = this.keyring?.keys ?? [];
    this.#secrets =
      current === undefined
        ? [this.#issuer.secret]
        : [current.derive(PURPOSE), ...others.map((key) => key.derive(PURPOSE))];
    this.#used = shared?.used;
    this.#now = now;
    this.#uptime = uptime;
    this.#metrics = metrics;
    this.#refusals = new Refusals(log, uptime, metrics);
    this.#count();
  }

  /** True if a client has to show a token or a ticket. */
  get required(): boolean {
    return this.#file !== undefined;
  }

  /** The text that the tokens are from; undefined: no file is configured. */
  get text(): string | undefined {
    return this.#file?.text;
  }

  /**
   * Returns what a client that asks for a session may do, or why it may do nothing. Its ticket is used by that.
   * @param address of the client, for the log
   */
  admit({ token, ticket }: Credentials, address: string): Grant | ProtocolError {
    if (token !== undefined || ticket === undefined) {
      const grant = this.#find(token, address);
      return isOperator(grant) ? this.#refusals.unauthorized("operator_token", { address, caller: grant.name }) : grant;
    }
    const used = this.#ticketsOnce().use(ticket, this.#moment());
    if (used === "full") return new ProtocolError("overloaded", "too many tickets are used at the moment");
    return (used && this.#client(used.hash)) ?? this.#refusals.unauthorized("ticket", { address });
  }

  /**
   * Returns what clients may do that count as a principal, because they cannot show a token; an error: there is no valid
   * token of that name for clients.
   * @param address of the client, for the log
   */
  principal(name: string, address: string): Grant | ProtocolError {
    const grant = this.#file?.tokens.named(name, this.#now());
    return grant ?? this.#refusals.unauthorized("unknown_token", { address, caller: name });
  }

  /** Returns why a client may not request a page; undefined: it may. @param address of the client, for the log */
  refusal({ headers }: Request, address: string): ProtocolError | undefined {
    const grant = this.#find(bearerToken(headers), address);
    return grant instanceof ProtocolError ? grant : undefined;
  }

  /** Returns why a client may not request a page that is for operators only; undefined: it may. */
  operatorRefusal({ headers }: Request, address: string): ProtocolError | undefined {
    const grant = this.#find(bearerToken(headers), address);
    if (grant instanceof ProtocolError) return grant;
    return grant.admin ? undefined : this.#refusals.unauthorized("client_token", { address, caller: grant.name });
  }

  /**
   * Returns a ticket for one connection. Without a token file, everybody gets one, so that pages for browsers need not
   * know whether tokens are needed.
   */
  issue({ headers }: Request, address: string): IssuedTicket | ProtocolError {
    const grant = this.required ? this.admit({ token: bearerToken(headers) }, address) : undefined;
    if (grant instanceof ProtocolError) return grant;
    const ticket = this.#ticketsOnce().issue(grant?.hash ?? "", this.#moment());
    return { ticket, expires_in_ms: TICKET_MS };
  }

  /** Returns true while the token with this hash may have sessions. */
  holds(hash: string): boolean {
    return this.#client(hash) !== undefined;
  }

  /** Reads the file again if it has changed. To be called about twice a second. */
  async check(): Promise<void> {
    await this.#file?.check();
    this.#count();
  }

  [Symbol.dispose](): void {
    this.#used?.[Symbol.dispose]();
  }

  #find(token: string | undefined, address: string): Grant | ProtocolError {
    if (token === undefined) return this.#refusals.unauthorized("no_token", { address });
    const grant = this.#file?.tokens.find(token);
    if (grant === undefined) return this.#refusals.unauthorized("unknown_token", { address });
    const isValid = !isExpired(grant, this.#now());
    return isValid ? grant : this.#refusals.unauthorized("expired_token", { address, caller: grant.name });
  }

  /** Returns what a token allows that was found before. Its line may have changed since, also to one for operators. */
  #client(hash: string): Grant | undefined {
    const grant = this.#file?.tokens.holds(hash, this.#now());
    return grant?.admin === true ? undefined : grant;
  }

  #count(): void {
    if (this.#file === undefined) return;
    this.#metrics?.tokens.with({}).set(this.#file.tokens.size);
    this.#metrics?.fileRefused.with({}).set(this.#file.isRefused ? 1 : 0);
  }

  #ticketsOnce(): Tickets {
    this.#tickets ??= new Tickets(this.#secrets, (this.#used ??= UsedTickets.create()), this.#issuer);
    return this.#tickets;
  }

  #moment(): Moment {
    return { wall: this.#now(), uptime: this.#uptime() };
  }
}

function isOperator(grant: Grant | ProtocolError): grant is Grant {
  return "admin" in grant && grant.admin;
}
