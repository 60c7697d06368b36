import { expect, test } from "bun:test";

import { Reload } from "../../../src/commands/serve/reload.ts";
import type { Config, EffectiveConfig } from "../../../src/config/config.ts";
import { openLog } from "../../../src/telemetry/log/log.ts";
import { configure } from "../../support/in-process-server.ts";

const before = configure({ "limits.max_sessions": 5 });

/** A reload whose processes are replaced when `replaced` resolves with true. */
function reloadOf(load: () => EffectiveConfig, replaced: () => Promise<boolean>) {
  const events: unknown[] = [];
  const given: Config[] = [];
  const log = openLog({ level: "debug", write: (line) => events.push((JSON.parse(line) as { event: unknown }).event) });
  const supervisor = {
    isDraining: false,
    replaceAll: async (config: Config) => {
      given.push(config);
      return await replaced();
    },
  };
  return { reload: new Reload({ supervisor, log, config: before, load }), events, given };
}

const effective = (config: Config): EffectiveConfig => ({ config, entries: [], warnings: [] });

test("the new configuration counts once all processes have it; the address and the log stay", async () => {
  const next = configure({ "limits.max_sessions": 6, "server.host": "127.0.0.2", "log.level": "error" });
  const { reload, events, given } = reloadOf(
    () => effective(next),
    async () => true,
  );
  await reload.request();
  expect(reload.config.limits.max_sessions).toBe(6);
  expect([given[0]?.server, given[0]?.log]).toEqual([before.server, before.log]);
  expect(events).toEqual(["reloading", "setting_ignored", "setting_ignored", "reloaded"]);
});

test("a configuration that cannot be read, or with which no process starts, changes nothing", async () => {
  const broken = reloadOf(
    () => {
      throw new Error("limits.max_sessions: found many");
    },
    async () => true,
  );
  await broken.reload.request();
  expect([broken.events, broken.given]).toEqual([["reloading", "reload_refused"], []]);
  const failing = reloadOf(
    () => effective(configure({ "limits.max_sessions": 6 })),
    async () => false,
  );
  await failing.reload.request();
  expect(failing.reload.config).toBe(before);
});

test("requests during a reload lead to one more", async () => {
  const gate = Promise.withResolvers<boolean>();
  const { reload, given } = reloadOf(
    () => effective(before),
    () => gate.promise,
  );
  const first = reload.request();
  await Promise.all([reload.request(), reload.request()]);
  expect(given).toHaveLength(1);
  gate.resolve(true);
  await first;
  expect(given).toHaveLength(2);
});

test("a list that is the same is no change, and another one needs a restart", async () => {
  const lists = (hosts: string) => configure({ "limits.max_sessions": 5, "server.hosts": hosts });
  const same = reloadOf(
    () => effective(lists("")),
    async () => true,
  );
  await same.reload.request();
  expect(same.events).toEqual(["reloading", "reloaded"]);
  const other = reloadOf(
    () => effective(lists("a.example")),
    async () => true,
  );
  await other.reload.request();
  expect(other.events).toEqual(["reloading", "setting_ignored", "reloaded"]);
});
