import { messageOf } from "../../lib/thrown.ts";
import type { ReloadResult } from "../../server/model-entry.ts";
import type { Logger } from "../../telemetry/log/log.ts";

/** Reloads all models of a server with one process, which SIGHUP asks for. The log says what has become of it. */
export async function reloadModels(reload: () => Promise<readonly ReloadResult[]>, log: Logger): Promise<void> {
  log.info("reloading", { signal: "SIGHUP" });
  try {
    const results = await reload();
    if (results.every(({ result }) => result === "loaded")) log.info("reloaded", { models: results.length });
  } catch (error) {
    log.error("reload_refused", { reason: messageOf(error) });
  }
}
