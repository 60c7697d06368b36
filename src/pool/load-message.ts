import { SLAB_SAMPLES } from "../native/arena.ts";
import type { LoadMessage } from "../worker/child/child-messages.ts";
import type { HostOptions } from "./worker-host.ts";

/** Returns the first message to a process that this one has started. */
export function loadMessage({ model, settings, spawn, arena }: HostOptions): LoadMessage {
  return {
    type: "load",
    model,
    settings,
    spawn,
    arena: { slabs: arena.capacity },
    slabSamples: SLAB_SAMPLES,
    parent: process.pid,
    tracing: tracingVariables(process.env),
  };
}

function tracingVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given.filter(([name]) => name.startsWith("OTEL_")));
}
