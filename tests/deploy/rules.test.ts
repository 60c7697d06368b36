import { expect, test } from "bun:test";
import { join } from "node:path";

import { allMetricNames, recordedNames } from "../support/deploy/names.ts";

const root = join(import.meta.dir, "..", "..");
const folder = join(root, "deploy", "prometheus");

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function rules(file: string): Promise<Rule[]> {
  const { groups } = Bun.YAML.parse(await Bun.file(join(folder, file)).text()) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

const recorded = await rules("rules.yml");
const alerts = await rules("alerts.yml");
const known = new Set([
  ...allMetricNames(),
  ...recorded.map(({ record = "" }) => record),
  // Prometheus records it for every target.
  "up",
]);

test("every alert has a test in which it fires, and one in which it does not", async () => {
  interface Case {
    alert_rule_test: { alertname: string; exp_alerts: unknown[] }[];
  }
  const { tests } = Bun.YAML.parse(await Bun.file(join(folder, "alerts.test.yml")).text()) as { tests: Case[] };
  const cases = tests.flatMap((each) => each.alert_rule_test);
  for (const { alert } of alerts) {
    const fires = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length > 0);
    expect([alert, new Set(fires)]).toEqual([alert, new Set([true, false])]);
  }
});

test("rules and alerts use metrics that exist", () => {
  const used = [...recorded, ...alerts].flatMap(({ expr }) => recordedNames(expr));
  expect(used.length).toBeGreaterThan(15);
  expect(used.filter((name) => !known.has(name))).toEqual([]);
});

test("every alert has a severity, a description and a metric that docs/metrics.md explains", async () => {
  const page = await Bun.file(join(root, "docs", "metrics.md")).text();
  for (const { alert, labels, annotations } of alerts) {
    expect([alert, ["critical", "warning", "info"].includes(labels?.["severity"] ?? "")]).toEqual([alert, true]);
    expect([alert, Object.keys(annotations ?? {})]).toEqual([alert, ["summary", "description", "metric"]]);
    expect([alert, page.includes(`\`${annotations?.["metric"]}\``)]).toEqual([alert, true]);
  }
});
