import { subscriberOf } from "../../lib/ip-address.ts";
import type { OpenConnection } from "../../native/connections.ts";

/** Time for which a connection beyond the share of its address is kept: it may be about to become a session. */
const PATIENCE_MS = 1_000;

/** Why a connection is ended: its address has more than its share, or there are too many in all. */
export type Cause = "address" | "all";

export interface ExcessRules {
  /** Most connections of one address; 0: no limit. */
  readonly perAddress: number;
  /** Returns true when an address, in canonical form, has no such limit. */
  readonly isExempt: (address: string) => boolean;
  /** Connections that are too many in all, wherever they come from. */
  readonly surplus: number;
}

/** Connections to be ended. */
export interface Excess {
  readonly cause: Cause;
  readonly connections: readonly OpenConnection[];
}

interface Ranked {
  readonly connection: OpenConnection;
  /** How many connections of the same address have moved later. */
  readonly rank: number;
}

/**
 * Chooses which connections without a session to end. Those of the addresses with the most of them go first, down to
 * the same number for each, so that one that has few keeps them, and of an address those on which nothing has moved for
 * longest.
 */
export function chooseExcess(
  open: readonly OpenConnection[],
  { perAddress, isExempt, surplus }: ExcessRules,
): Excess[] {
  const ranked = [...groupByAddress(open)].flatMap(rank);
  const beyondShare = ({ rank, connection: { address, silentMs } }: Ranked): boolean =>
    perAddress > 0 && rank >= perAddress && silentMs >= PATIENCE_MS && !isExempt(address);
  const chosen = ranked.filter(beyondShare);
  const left = ranked.filter((each) => !beyondShare(each));
  left.sort((a, b) => b.rank - a.rank || b.connection.silentMs - a.connection.silentMs);
  const rest = left.slice(0, Math.max(0, surplus - chosen.length));
  return [excessOf("address", chosen), excessOf("all", rest)].filter(({ connections }) => connections.length > 0);
}

/** The address that has the most of some connections; there is at least one. */
export function mostFrequentAddress(connections: readonly OpenConnection[]): string {
  const [first] = [...groupByAddress(connections)].toSorted(([, a], [, b]) => b.length - a.length);
  return first?.[0] ?? "";
}

function groupByAddress(connections: readonly OpenConnection[]): Map<string, OpenConnection[]> {
  const subscribers = new Map<string, string>();
  return Map.groupBy(connections, ({ address }) => {
    let subscriber = subscribers.get(address);
    if (subscriber === undefined) subscribers.set(address, (subscriber = subscriberOf(address)));
    return subscriber;
  });
}

function rank([, connections]: readonly [string, OpenConnection[]]): Ranked[] {
  const byMovement = connections.toSorted((a, b) => a.silentMs - b.silentMs);
  return byMovement.map((connection, rank) => ({ connection, rank }));
}

function excessOf(cause: Cause, ranked: readonly Ranked[]): Excess {
  return { cause, connections: ranked.map(({ connection }) => connection) };
}
