import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { BUILT_IN } from "../../../../src/model/models.ts";
import { DeclaredFamilies } from "../../../../src/telemetry/metrics/declared-metrics.ts";
import { registerFamilies } from "../../../../src/telemetry/metrics/families/families.ts";
import { processFamilies } from "../../../../src/telemetry/metrics/families/processes.ts";
import { MetricRegistry } from "../../../../src/telemetry/metrics/metric-registry.ts";

const page = await Bun.file(join(import.meta.dir, "..", "..", "..", "..", "docs", "metrics.md")).text();
const registry = new MetricRegistry();
const { runtime } = registerFamilies(registry);
// The supervisor of several processes has families of its own, and its dropped log lines count like those of a process.
const ofSupervisor = new MetricRegistry();
const { logDropped } = processFamilies(ofSupervisor);
const own = ofSupervisor.collect().filter(({ family }) => family !== logDropped);
// Those that built-in models declare are explained like those of the server.
const declared = new DeclaredFamilies(registry);
for (const { metrics: ofModel = {} } of BUILT_IN.values()) {
  for (const [name, declaration] of Object.entries(ofModel)) declared.declare(name, declaration);
}
const metrics = [...registry.collect(), ...own];
const names = metrics.map(({ family }) => family.definition.name);

describe("the metrics", () => {
  test("have a description and the names that Prometheus recommends", () => {
    for (const { type, family } of metrics) {
      const { name, help } = family.definition;
      expect(name).toMatch(/^streamer_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith("_total")).toBe(type === "counter");
      expect(help).toMatch(/^[A-Z1].{10,}\.$/);
    }
  });

  test("of the supervisor that a process has, too, are the same", () => {
    expect(logDropped.definition).toEqual(runtime.logDropped.definition);
  });

  test("have unique names", () => {
    expect(new Set(names).size).toBe(names.length);
  });

  test("are exactly those that docs/metrics.md explains", () => {
    const explained = [...page.matchAll(/^\| `(streamer_[a-z_]+)` +\|/gm)].map(([, name = ""]) => name);
    expect(explained.toSorted()).toEqual(names.toSorted());
  });
});
