import type { TextFormat } from "./setting.ts";

/** Where the pages for operators are served. */
export type AdminAddress =
  { readonly path: string } | { readonly host: string; readonly port: number; readonly isLoopback: boolean };

/** The 127.0.0.0/8 block, ::1, and the name of both. Other addresses could be reached from other machines. */
const HOST = /^[A-Za-z0-9.:_%-]+$/;
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/i;
/** Longest path of a Unix socket: 108 bytes with the zero at its end. */
const MAX_PATH_BYTES = 107;

/** A regular expression that every address matches. Beside those, it matches paths of too many bytes. */
const ADDRESS =
  "unix:[^\\x00]{1,107}|(?:\\[[A-Za-z0-9._%-]*:[A-Za-z0-9.:_%-]*\\]|[A-Za-z0-9._%-]+):" +
  "(?:[0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

export const ADMIN_FORMAT: TextFormat = {
  allowed: "none, unix:PATH, or an address and a port, such as 127.0.0.1:9090 or [::1]:9090",
  pattern: `^(?:none|${ADDRESS})$`,
  isExact: false,
  accepts: (text) => text === "none" || parseAdminAddress(text) !== undefined,
};

/** Parses `unix:PATH` or `HOST:PORT`. Returns undefined when the text is neither. */
export function parseAdminAddress(text: string): AdminAddress | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    const bytes = Buffer.byteLength(path);
    return bytes > 0 && bytes <= MAX_PATH_BYTES && !path.includes("\0") ? { path } : undefined;
  }
  const [, bracketed, plain, digits = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const port = Number(digits);
  const isWritten = bracketed === undefined || bracketed.includes(":");
  if (!isWritten || !HOST.test(host) || digits === "" || port > 65_535) return undefined;
  return { host, port, isLoopback: LOOPBACK.test(host) };
}
