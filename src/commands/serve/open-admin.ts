import type { Access } from "../../auth/access.ts";
import { parseAdminAddress } from "../../config/admin-address.ts";
import type { Config } from "../../config/config.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";
import { type AdminHost, AdminServer } from "../../server/admin.ts";
import { Edge } from "../../server/edge/edge.ts";
import { guardOperatorPages } from "../../server/page-guard.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import { EXIT, ExitError } from "../terminal/exit-codes.ts";

export const NOT_ENCRYPTED =
  "operators send their tokens to this address without encryption; use it in a network that nobody else reads, or " +
  "behind a proxy with TLS";

/** Serves the pages for operators where `server.admin` is set. Throws ExitError when it cannot listen there. */
export async function openAdmin(
  { server }: Config,
  host: AdminHost,
  access: Access,
  log: Logger,
): Promise<AdminServer | undefined> {
  const { admin } = server;
  const address = parseAdminAddress(admin);
  if (address === undefined) return undefined;
  try {
    const isReachable = "host" in address && !address.isLoopback;
    if (isReachable) log.warn("admin_not_encrypted", { admin, message: NOT_ENCRYPTED });
    const guard = guardOperatorPages(isReachable ? access : undefined);
    const edge = new Edge({
      server,
      access: { required: isReachable },
      forOperators: true,
      log,
      clock: () => performance.now(),
    });
    return await AdminServer.open({ address, host, edge, guard, log });
  } catch (error) {
    const reason = codeOf(error) === "EADDRINUSE" ? "it is in use" : messageOf(error);
    throw new ExitError(EXIT.failure, `cannot listen on ${admin} (server.admin): ${reason}`);
  }
}
