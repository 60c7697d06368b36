/** Limits of one caller over all of its sessions. */
export interface CallerLimits {
  /** Sessions that may be open at once; 0: no limit of its own. */
  readonly maxSessions: number;
  /** Most channels in one stream; undefined: the server's limit. */
  readonly maxChannels?: number | undefined;
  /** Models that may be used, by name; undefined: all. */
  readonly models?: readonly string[] | undefined;
  /** True: neither `limits.caller_share` applies to its streams, nor the share of a caller to its uploads. */
  readonly isExempt?: boolean;
}

/** Owner of a session: an authenticated principal, or a network address. Limits, logs and fair scheduling use `id`. */
export interface Caller {
  readonly id: string;
  /** Network address; empty when the transport has none. */
  readonly address: string;
  readonly limits: CallerLimits;
  /** Stands for the secret that admitted the caller; its sessions end when that is withdrawn. */
  readonly credential?: string | undefined;
}
