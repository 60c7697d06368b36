import { PemFault, type PemKind, readPemFile } from "../../lib/pem-file.ts";
import { checkCredentials, type TlsCredentials, TlsFault, type TlsFiles, type TlsSetting } from "./credentials.ts";

/** The settings of TLS. The value of each is the path of a file, or `none`. */
export type TlsSettings = Readonly<Record<TlsSetting, string>>;

/** Reads the three files. Returns undefined when the settings name none. Throws TlsFault. */
export async function readTlsFiles(settings: TlsSettings): Promise<TlsFiles | undefined> {
  const { tls_cert, tls_key, tls_client_ca } = settings;
  const faults = missingFiles(settings);
  if (faults.length > 0) throw new TlsFault(faults);
  if (tls_cert === "none") return undefined;
  const read = async (setting: TlsSetting, path: string, kind: PemKind): Promise<string[]> => {
    try {
      return await readPemFile(path, kind);
    } catch (error) {
      if (!(error instanceof PemFault)) throw error;
      faults.push([setting, error.message]);
      return [];
    }
  };
  const cert = await read("tls_cert", tls_cert, "certificate");
  const key = await read("tls_key", tls_key, "private key");
  const clientCa = tls_client_ca === "none" ? undefined : await read("tls_client_ca", tls_client_ca, "certificate");
  if (faults.length > 0) throw new TlsFault(faults);
  return { cert, key, clientCa };
}

/** Settings of files, and the ones that they are of no use without. */
const NEEDED = [
  ["tls_cert", "tls_key"],
  ["tls_key", "tls_cert"],
  ["tls_client_ca", "tls_cert"],
] as const;

function missingFiles(settings: TlsSettings): [TlsSetting, string][] {
  return NEEDED.filter(([given, needed]) => settings[given] !== "none" && settings[needed] === "none").map(
    ([given, needed]) => [needed, `found none; allowed: a file, because server.${given} has one`],
  );
}

/**
 * Reads and checks the files. Returns undefined when the settings name none. Throws TlsFault.
 * @param now milliseconds since the epoch
 */
export async function loadCredentials(settings: TlsSettings, now: number): Promise<TlsCredentials | undefined> {
  const files = await readTlsFiles(settings);
  return files && checkCredentials(files, now);
}
