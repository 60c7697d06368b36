import type { Settings } from "./in-process-server.ts";
import { type Connect, tcp } from "./raw-connection.ts";

/** A transport that WebSockets and HTTP come by. */
export interface Transport {
  readonly name: string;
  readonly connect: Connect;
  /** Settings of a server that it reaches. */
  settings(): Promise<Settings>;
}

export const TRANSPORTS: readonly Transport[] = [{ name: "TCP", connect: tcp, settings: async () => ({}) }];
