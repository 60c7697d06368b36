import type { Config } from "../../config/config.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { CallNews } from "../../session/call-relay.ts";
import type { LiveStats } from "../../telemetry/metrics/live-stats.ts";
import type { MetricSnapshot } from "../../telemetry/metrics/metric-snapshot.ts";
import type { ReloadResult } from "../model-entry.ts";
import type { TlsCredentials } from "../tls/credentials.ts";

/** Descriptor of the session table in a process of the server. */
export const TABLE_FD = 3;
/** Descriptor of the supervisor's standard error in a process of the server, for what it logs when it is alone. */
export const LAST_LOG_FD = 4;

/** Descriptor of the table of used tickets in a process of the server. */
export const TICKETS_FD = 5;

/** What a process is to do. It is sent once, first. */
export interface ServeOrder {
  readonly type: "serve";
  /** The configuration of this process: its part of what is divided. */
  readonly config: Config;
  /** Number of the process, from 1 on. One that replaces it has the same. */
  readonly number: number;
  /** Processes of the server. */
  readonly count: number;
  /** Owner of its sessions in the table, unique among all processes that live. */
  readonly owner: number;
  /** Places in the session table. */
  readonly capacity: number;
  /** Secret with which the keys of callers are computed, and tickets sealed. */
  readonly secret: Uint8Array;
  /** When the supervisor was started, milliseconds since the machine was. */
  readonly startedAt: number;
  /** Text of the token file that the supervisor uses; undefined: there are no tokens. */
  readonly tokens: string | undefined;
  /** Other processes accept connections while this one loads. */
  readonly listensWhenLoaded: boolean;
  readonly metricsPlace: string;
  /** Checked by the supervisor. Undefined: connections are not encrypted. */
  readonly credentials: TlsCredentials | undefined;
}

/** Current numbers of one process. */
export interface ProcessLoad {
  readonly live: LiveStats;
  /** Resident memory in bytes. */
  readonly memory: number;
}

/** A sign of life of one process. */
export interface ProcessHealth {
  /** Why it is not ready for streams. */
  readonly unready?: { readonly code: ErrorCode; readonly message: string } | undefined;
}

/** The reload of models in one process. */
export type ProcessReload =
  | { readonly results: readonly ReloadResult[] }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string } };

/** What a process can be asked for, and its answers. Only the first costs next to nothing. */
export interface Answers {
  health: ProcessHealth;
  load: ProcessLoad;
  metrics: readonly MetricSnapshot[];
  info: Readonly<Record<string, unknown>>;
  /** Loads models again, and so takes a while. */
  reload: ProcessReload;
}

export type ToProcess =
  | ServeOrder
  /** `model`: the one to reload; undefined: all. */
  | { readonly type: "ask"; readonly id: number; readonly what: keyof Answers; readonly model?: string | undefined }
  /** Other certificates and key for new connections. */
  | { readonly type: "credentials"; readonly credentials: TlsCredentials }
  /** Another process reports something about its calls. `from`: its owner. */
  | { readonly type: "calls"; readonly from: number; readonly news: CallNews }
  | { readonly type: "drain" };

export type FromProcess =
  | { readonly type: "ready"; readonly url: string }
  /** The process accepts no more connections, whoever told it to end. */
  | { readonly type: "draining" }
  /** The process cannot serve, and ends. `code` is the exit code of a server with one process. */
  | { readonly type: "failed"; readonly code: number; readonly message: string }
  /** To all other processes. */
  | { readonly type: "calls"; readonly news: CallNews }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  /** The last metrics of a process that has drained. */
  | { readonly type: "last"; readonly metrics: readonly MetricSnapshot[] };
