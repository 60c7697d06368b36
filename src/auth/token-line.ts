import { isIP } from "node:net";

import { describeValue } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { MAX_CHANNELS } from "../lib/sample-format.ts";
import type { Grant } from "./grant.ts";
import { hasToken } from "./token.ts";

const MAX_SESSIONS = 1_000_000;
const MAX_MODELS = 64;
const DAY_MS = 86_400_000;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const HASH = /^sha256:[0-9a-f]{64}$/i;
const MODEL = /^[^\s,=#]{1,128}$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/;

const ALLOWED = {
  name: "1 to 64 letters, digits and . _ @ -, beginning with a letter or digit, and no IP address",
  hash: "sha256: and the 64 hex digits of the token's SHA-256",
  models: `1 to ${MAX_MODELS} names, separated by commas`,
  expires: "a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z",
} as const;

/** A line of a token file that is not valid. The message names the field, what was found and what is allowed. */
export class TokenLineError extends Error {
  override readonly name = "TokenLineError";
}

/** The fields of a line after name and hash. */
type Limits = { -readonly [Key in keyof Omit<Grant, "name" | "hash">]: Grant[Key] };

const FIELDS: Readonly<Record<string, (value: string, limits: Limits) => void>> = {
  sessions: (value, limits) => (limits.sessions = whole("sessions", value, MAX_SESSIONS)),
  channels: (value, limits) => (limits.channels = whole("channels", value, MAX_CHANNELS)),
  models: (value, limits) => (limits.models = parseModels(value)),
  expires: (value, limits) => (limits.expires = parseExpiry(value)),
};

/**
 * Parses a line: `NAME sha256:HEX [sessions=N] [channels=N] [models=A,B] [expires=DATE]` or `NAME sha256:HEX admin
 * [expires=DATE]`. Returns undefined for an empty line and a comment, which begins with #. Throws TokenLineError.
 */
export function parseTokenLine(line: string): Grant | undefined {
  const [name, hash, ...rest] = withoutComment(line)
    .split(/[ \t]+/)
    .filter(Boolean);
  if (name === undefined) return undefined;
  checkName(name);
  // What stands here may be the token itself, so that it is never shown unless it is a hash.
  if (hash === undefined || !HASH.test(hash)) throw invalid("hash", hashFound(hash), ALLOWED.hash);
  const limits: Limits = { admin: false };
  const seen = new Set<string>();
  for (const field of rest) {
    const [key = "", value] = splitField(field);
    if (seen.has(key)) throw new TokenLineError(`${key}: is given twice; allowed: once`);
    seen.add(key);
    if (field === "admin") limits.admin = true;
    else if (value === undefined || !Object.hasOwn(FIELDS, key)) throw unknownField(key, value);
    else FIELDS[key]?.(value, limits);
  }
  const useless = ["sessions", "channels", "models"].find((key) => limits.admin && seen.has(key));
  if (useless !== undefined) {
    throw new TokenLineError(`${useless}: has no effect with admin, whose tokens open no sessions; allowed: expires`);
  }
  return { name, hash: hash.slice("sha256:".length).toLowerCase(), ...limits };
}

/** Returns the line of a grant. */
export function formatTokenLine({ name, hash, sessions, channels, models, expires, admin }: Grant): string {
  const fields = [
    name,
    `sha256:${hash}`,
    sessions !== undefined && `sessions=${sessions}`,
    channels !== undefined && `channels=${channels}`,
    models !== undefined && `models=${models.join(",")}`,
    expires !== undefined && `expires=${formatExpiry(expires)}`,
    admin && "admin",
  ];
  return fields.filter((field) => field !== false).join(" ");
}

/** Checks the name of a principal. Throws TokenLineError. A name like an address would be taken for that of a client. */
export function checkName(name: string): void {
  if (!NAME.test(name) || isIP(name) !== 0) throw invalid("name", describeField(name), ALLOWED.name);
}

function withoutComment(line: string): string {
  return line.replace(/(?:^|[ \t])#.*$/s, "");
}

function splitField(field: string): [string, string?] {
  const separator = field.indexOf("=");
  return separator === -1 ? [field] : [field.slice(0, separator), field.slice(separator + 1)];
}

function unknownField(key: string, value: string | undefined): TokenLineError {
  const known = [...Object.keys(FIELDS), "admin"];
  if (value === undefined && Object.hasOwn(FIELDS, key))
    return new TokenLineError(`${key}: found no value; allowed: ${key}=VALUE`);
  if (value !== undefined && key === "admin") return new TokenLineError("admin: takes no value");
  const meant = nearestName(key, known);
  const hint = meant === undefined ? `allowed: ${known.join(", ")}` : `did you mean "${meant}"?`;
  return new TokenLineError(`unknown field ${describeField(key)}; ${hint}`);
}

function hashFound(hash: string | undefined): string {
  if (hash === undefined) return "nothing";
  if (hasToken(hash)) return "a token, which is not to be stored";
  return hash.toLowerCase().startsWith("sha256:") ? describeValue(hash) : `another text of ${hash.length} characters`;
}

function describeField(text: string): string {
  return hasToken(text) ? "a token" : describeValue(text);
}

function whole(key: string, text: string, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw invalid(key, describeField(text), `a whole number from 1 to ${max}`);
  return value;
}

function parseModels(text: string): readonly string[] {
  const names = text.split(",");
  const isList = names.length <= MAX_MODELS && names.every((name) => MODEL.test(name));
  if (!isList) throw invalid("models", describeField(text), ALLOWED.models);
  return [...new Set(names)];
}

/** A token is valid to the end of the day that is named, in UTC. */
function parseExpiry(text: string): number {
  const isDate = DATE.test(text);
  const time = isDate || TIME.test(text) ? Date.parse(text) : Number.NaN;
  // Some parsers take 2027-02-30 for a day in March.
  const isReal = !Number.isNaN(time) && (!isDate || new Date(time).toISOString().startsWith(text));
  if (!isReal) throw invalid("expires", describeField(text), ALLOWED.expires);
  return isDate ? time + DAY_MS : time;
}

function formatExpiry(time: number): string {
  const isEndOfDay = time % DAY_MS === 0;
  return isEndOfDay ? new Date(time - DAY_MS).toISOString().slice(0, 10) : new Date(time).toISOString();
}

function invalid(field: string, found: string, allowed: string): TokenLineError {
  return new TokenLineError(`${field}: found ${found}; allowed: ${allowed}`);
}
