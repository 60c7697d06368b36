import type { ArgsDef } from "citty";

import type { ClientTls } from "../../client/tls.ts";
import { PemFault, type PemKind, readPemFile } from "../../lib/pem-file.ts";
import { UsageError } from "./exit-codes.ts";
import type { GivenFlags } from "./flags.ts";

/** The flags of a client for TLS. */
export const TLS_FLAGS = {
  ca: {
    type: "string",
    valueHint: "FILE",
    description: "Authorities that the certificate of the server may be of, PEM (default the well-known ones)",
  },
  cert: {
    type: "string",
    valueHint: "FILE",
    description: "Certificate to show to a server that requires one, PEM; needs --key",
  },
  key: { type: "string", valueHint: "FILE", description: "Private key of --cert, PEM" },
  insecure: { type: "boolean", description: "Do not check the certificate of the server" },
} as const satisfies ArgsDef;

/** The flags as they were given: paths of files. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/** Parses the flags for a connection to a URL. Throws UsageError. */
export function parseTlsFlags(flags: GivenFlags, { protocol }: URL): TlsFiles {
  const given = ["ca", "cert", "key", "insecure"].find((name) => flags.has(name));
  if (given === undefined) return {};
  if (protocol === "ws:" || protocol === "http:") {
    throw new UsageError(`--${given} needs an --addr with wss:// or https://: other connections are not encrypted`);
  }
  const [ca, cert, key] = [flags.string("ca"), flags.string("cert"), flags.string("key")];
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("--cert and --key: give both");
  if (ca !== undefined && flags.has("insecure")) {
    throw new UsageError("--ca and --insecure: give only one of them, the second one checks nothing");
  }
  return { ca, cert, key, ...(flags.has("insecure") && { insecure: true }) };
}

/** Reads the files. Throws UsageError, which names the flag. */
export async function readClientTls({ ca, cert, key, insecure }: TlsFiles): Promise<ClientTls> {
  return {
    ca: await read("--ca", ca, "certificate"),
    cert: await read("--cert", cert, "certificate"),
    key: await read("--key", key, "private key"),
    insecure,
  };
}

/** Returns a warning if the certificate of the server is not checked. */
export function insecureWarning({ insecure }: TlsFiles): string | undefined {
  return insecure === true
    ? "warning: the certificate of the server is not checked (--insecure): anybody in between can read and change everything"
    : undefined;
}

async function read(flag: string, path: string | undefined, kind: PemKind): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const blocks = await readPemFile(path, kind);
    return blocks.join("");
  } catch (error) {
    if (error instanceof PemFault) throw new UsageError(`${flag}: ${error.message}`);
    throw error;
  }
}
