import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

import { Authority } from "./certificates.ts";
import type { Settings } from "./in-process-server.ts";
import { type Connect, tcp } from "./raw-connection.ts";

/** A transport that WebSockets and HTTP come by. */
export interface Transport {
  readonly name: string;
  readonly connect: Connect;
  /** Settings of a server that it reaches. */
  settings(): Promise<Settings>;
}

let authority: Promise<Authority> | undefined;

const overTls: Connect = async (port) => {
  authority ??= Authority.create();
  const { cert } = await authority;
  const socket = connectTls({ port, host: "127.0.0.1", ca: cert });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("secureConnect", resolve).once("error", reject);
  await promise;
  socket.off("error", reject);
  return socket;
};

/** A certificate of a test, in a temporary folder, which the system removes. */
async function certificate(): Promise<Settings> {
  authority ??= Authority.create();
  const issued = await (await authority).issue();
  const folder = await mkdtemp(join(tmpdir(), "streamer-certificate-"));
  const paths = { cert: join(folder, "server.crt"), key: join(folder, "server.key") };
  await writeFile(paths.cert, issued.cert);
  await writeFile(paths.key, issued.key);
  return { "server.tls_cert": paths.cert, "server.tls_key": paths.key };
}

export const TRANSPORTS: readonly Transport[] = [
  { name: "TCP", connect: tcp, settings: async () => ({}) },
  { name: "TLS", connect: overTls, settings: certificate },
];
