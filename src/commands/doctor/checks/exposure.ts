import { parseAdminAddress } from "../../../config/admin-address.ts";
import { warnOfExposure, warnOfReadableSecrets, warnOfWritableModels } from "../../serve/exposure.ts";
import { NOT_ENCRYPTED } from "../../serve/open-admin.ts";
import type { Check, Examined } from "../check.ts";
import { CollectedLog } from "../collected-log.ts";
import type { ReportFinding } from "../finding.ts";

/** Who can use the server, read its secrets and change its models: what `serve` warns of when it starts. */
export const exposure: Check = { name: "exposure", limitMs: 10_000, run: examineExposure };

export async function examineExposure(
  { config, effective }: Pick<Examined, "config" | "effective">,
  report: ReportFinding,
): Promise<void> {
  const log = new CollectedLog();
  await warnOfExposure(config, log);
  warnOfReadableSecrets(effective, log);
  warnOfWritableModels(config, log);
  const address = parseAdminAddress(config.server.admin);
  if (address !== undefined && "host" in address && !address.isLoopback) {
    log.warn("admin_not_encrypted", { message: NOT_ENCRYPTED });
  }
  for (const { text } of log.messages) {
    // The sentences of the server end with what to do.
    const at = text.lastIndexOf("; ");
    report("warning", "exposure", text.slice(0, at), text.slice(at + 2).replace(/^better: /, ""));
  }
  if (log.messages.length > 0) return;
  const { tokens } = config.auth;
  const isGuarded = tokens !== "none" || config.server.tls_client_ca !== "none";
  report("ok", "exposure", isGuarded ? "clients need a token or a certificate" : "only this machine can connect");
}
