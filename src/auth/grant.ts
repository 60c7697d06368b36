/** What one token allows, as a line of the token file states it. */
export interface Grant {
  /** Name of the principal. Tokens with the same name are one principal. */
  readonly name: string;
  /** SHA-256 of the token, 64 hex digits in lower case. */
  readonly hash: string;
  /** Most open sessions of the principal; undefined: no limit of its own. */
  readonly sessions?: number | undefined;
  /** Most channels in one stream; undefined: the server's limit. */
  readonly channels?: number | undefined;
  /** Models that may be used, by name; undefined: all. */
  readonly models?: readonly string[] | undefined;
  /** Time from which on the token is not valid, in milliseconds since 1970; undefined: never. */
  readonly expires?: number | undefined;
  /** The token is for operators: it opens no session. */
  readonly admin: boolean;
}

/** Returns true if a grant is no longer valid. @param now milliseconds since 1970 */
export function isExpired({ expires }: Grant, now: number): boolean {
  return expires !== undefined && now >= expires;
}
