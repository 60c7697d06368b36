import { isDeepStrictEqual } from "node:util";

import type { Config, EffectiveConfig } from "../../config/config.ts";
import { FIXED_SECTIONS } from "../../config/fixed-sections.ts";
import { messageOf } from "../../lib/thrown.ts";
import type { Supervisor } from "../../server/processes/supervisor.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import { warnOfReadableSecrets, warnOfWritableModels } from "./exposure.ts";

export interface ReloadOptions {
  readonly supervisor: Pick<Supervisor, "isDraining" | "replaceAll">;
  readonly log: Logger;
  /** The configuration of the start. */
  readonly config: Config;
  /** Reads the configuration again. Throws an Error with all problems. */
  readonly load: () => EffectiveConfig;
}

/** Reloads the configuration of a server with several processes, by replacing them one at a time. */
export class Reload {
  readonly #options: ReloadOptions;
  #config: Config;
  #running = false;
  #again = false;

  constructor(options: ReloadOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** The configuration of the processes that are started last. */
  get config(): Config {
    return this.#config;
  }

  /** Reloads; a request during a reload is served after it. */
  async request(): Promise<void> {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    while (this.#again) {
      this.#again = false;
      await this.#reload();
    }
    this.#running = false;
  }

  async #reload(): Promise<void> {
    const { supervisor, log, load } = this.#options;
    if (supervisor.isDraining) return;
    log.info("reloading");
    let loaded: EffectiveConfig;
    try {
      loaded = load();
    } catch (error) {
      return log.error("reload_refused", { reason: messageOf(error) });
    }
    for (const message of [...loaded.warnings, ...this.#fixedWarnings(loaded.config)]) {
      log.warn("setting_ignored", { message });
    }
    const { server, auth, log: logSettings } = this.#config;
    const config = { ...loaded.config, server, auth, log: logSettings };
    warnOfReadableSecrets({ ...loaded, config }, log);
    warnOfWritableModels(config, log);
    if (!(await supervisor.replaceAll(config))) return;
    this.#config = config;
    log.info("reloaded");
  }

  #fixedWarnings(next: Config): string[] {
    return FIXED_SECTIONS.flatMap((section) => {
      const now: Readonly<Record<string, unknown>> = this.#config[section];
      return Object.entries(next[section])
        .filter(([key, value]) => !isDeepStrictEqual(now[key], value))
        .map(([key]) => `${section}.${key}: needs a restart of the server; its processes keep ${textOf(now[key])}`);
    });
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
