import { afterAll } from "bun:test";

import { sampleFields } from "../audio.ts";
import { InProcessServer, type Settings } from "../in-process-server.ts";
import { FakeEngine } from "./fake-engine.ts";

export const FORMAT = { channels: 1, sample_rate: 16_000, ...sampleFields("s16") };
/** Engines are tried again soon. */
export const RECOVERY = { "model.breaker_open_ms": 20, "model.health_ms": 20 };

/** Starts a server whose default model is the model `m` of these engines. */
export function serve(engines: readonly FakeEngine[], settings: Settings = {}): Promise<InProcessServer> {
  return InProcessServer.start({
    "model.name": "remote",
    "model.urls": engines.map(({ url }) => url).join(),
    "model.model": "m",
    "simple.block_ms": 100,
    ...settings,
  });
}

/** Starts engines that end after the tests of the calling file. */
export async function startEngines(count: number): Promise<FakeEngine[]> {
  const engines = await Promise.all(Array.from({ length: count }, () => FakeEngine.start()));
  afterAll(async () => void (await Promise.all(engines.map((engine) => engine.kill()))));
  return engines;
}
