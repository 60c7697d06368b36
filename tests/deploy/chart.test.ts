import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Ajv } from "ajv";

import { type Config, loadConfig } from "../../src/config/config.ts";
import { validateModelSettings } from "../../src/model/models.ts";
import { chart, type KubernetesObject, merged, parsed, renderings, type Values } from "../support/deploy/chart.ts";
import { allMetricNames, recordedNames } from "../support/deploy/names.ts";
import { root } from "../support/documents.ts";

const folder = await mkdtemp(join(tmpdir(), "streamer-chart-"));
afterAll(() => rm(folder, { recursive: true }));

const all = await renderings();
const manifest = (await Bun.file(join(root, "package.json")).json()) as { version: string };
const dockerfile = await Bun.file(join(root, "Dockerfile")).text();
const validate = new Ajv({ allErrors: true }).compile(await Bun.file(join(chart, "values.schema.json")).json());

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
}

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Deployment extends KubernetesObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
        readonly containers: readonly [Container];
        readonly volumes: readonly { readonly name: string; readonly emptyDir?: { readonly medium: string } }[];
      };
    };
  };
}

interface Service extends KubernetesObject {
  readonly spec: { readonly ports: readonly { readonly name: string; readonly targetPort: string }[] };
}

function objectOf<Type extends KubernetesObject>(objects: readonly KubernetesObject[], kind: string): Type {
  const found = objects.find((each) => each.kind === kind);
  if (found === undefined) throw new Error(`found no ${kind}`);
  return found as Type;
}

/** The server's own check of the configuration that a pod mounts. Throws what it would exit with. */
async function configured(objects: readonly KubernetesObject[]): Promise<Config> {
  const { data } = objectOf<KubernetesObject & { data: Record<string, string> }>(objects, "ConfigMap");
  const file = join(folder, `${crypto.randomUUID()}.yaml`);
  await Bun.write(file, data["streamer.yaml"] ?? "");
  // As the image sets them.
  const env = Object.fromEntries(
    [...dockerfile.matchAll(/\b(STREAMER__\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
  return loadConfig({ file, env, validateModelSettings }).config;
}

function faultsOf(values: Values): string[] {
  return validate(values)
    ? []
    : (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
}

test("the chart is of this version, and every example is rendered and nothing else", async () => {
  expect(await parsed<Values>(chart, "Chart.yaml")).toMatchObject({
    version: manifest.version,
    appVersion: manifest.version,
  });
  const names = all.map(({ name }) => name).sort();
  expect((await readdir(join(root, "deploy", "helm", "rendered"))).sort()).toEqual(names);
  expect(names).toEqual(["default.yaml", "engines.yaml", "grpc-keda.yaml", "tls-tokens.yaml"]);
});

describe.each(all)("$name", ({ objects, values }) => {
  const pod = objectOf<Deployment>(objects, "Deployment").spec.template.spec;
  const [container] = pod.containers;

  test("has a configuration that the server accepts, at the ports and in the folders of the pod", async () => {
    const config = await configured(objects);
    expect(config.server).toMatchObject({ host: "0.0.0.0", processes: 1 });
    const ports = Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, containerPort]));
    expect(ports).toEqual({ http: config.server.port, ...(config.grpc.port === 0 ? {} : { grpc: config.grpc.port }) });
    if (config.grpc.port !== 0) expect(config.grpc.host).toBe("0.0.0.0");
    const service = objectOf<Service>(objects, "Service");
    expect(service.spec.ports.map(({ targetPort }) => targetPort)).toEqual(Object.keys(ports));
    expect(config.server.hosts).toContain(`${service.metadata.name}.streamer.svc`);
    const { tls_cert, tls_key, tls_client_ca } = config.server;
    const named = [tls_cert, tls_key, tls_client_ca, config.auth.tokens, config.auth.secret_file];
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
    const paths = [container.args.at(-1) ?? "", ...named.filter((path) => path !== "none")];
    expect(paths.filter((path) => !mounts.some((mount) => path.startsWith(`${mount}/`)))).toEqual([]);
    expect(container.args.slice(0, 2)).toEqual(["serve", "--config"]);
    const mounted = container.volumeMounts.map(({ name }) => name).sort();
    expect(pod.volumes.map(({ name }) => name).sort()).toEqual(mounted);
  });

  test("waits for the drain, probes real routes, and runs as the image does", async () => {
    const { limits, server } = await configured(objects);
    const sleep = container.lifecycle.preStop.sleep.seconds;
    const drain = (limits.drain === "now" ? 0 : limits.drain_timeout_ms) + limits.finish_ms;
    expect(pod.terminationGracePeriodSeconds).toBe(sleep + Math.ceil(drain / 1000) + 10);
    const { paths } = (await Bun.file(join(root, "docs", "openapi.json")).json()) as { paths: Record<string, unknown> };
    const scheme = server.tls_cert === "none" ? "HTTP" : "HTTPS";
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
      expect(Object.keys(paths)).toContain(httpGet.path);
      expect(httpGet).toMatchObject({ port: "http", scheme });
    }
    const [, user, group] = /^USER (\d+):(\d+)$/m.exec(dockerfile) ?? [];
    expect(pod.securityContext).toMatchObject({ runAsUser: Number(user), runAsGroup: Number(group) });
    expect(container.image).toBe(`streamer:${manifest.version}`);
    expect(Object.keys(container.resources.limits)).toEqual(["memory"]);
    expect(pod.volumes.find(({ name }) => name === "tmp")?.emptyDir?.medium).toBe("Memory");
  });

  test("names metrics and routes that exist, and stays within the schema", () => {
    const text = JSON.stringify(objects);
    const named = [...text.matchAll(/\bstreamer_[a-z_]+/g)].map(([name]) => name);
    expect(named.filter((name) => !allMetricNames().includes(name))).toEqual([]);
    const { autoscaling } = values as { autoscaling: { kind: string } };
    expect(new Set(named).has("streamer_streams_active")).toBe(autoscaling.kind !== "none");
    expect(objectOf<Deployment>(objects, "Deployment").spec.replicas).toBe(autoscaling.kind === "none" ? 2 : undefined);
    expect(faultsOf(values)).toEqual([]);
  });
});

test("KEDA asks for streams over capacity", () => {
  const { objects } = all.find(({ name }) => name === "grpc-keda.yaml")!;
  interface ScaledObject extends KubernetesObject {
    spec: { triggers: { metadata: { query: string } }[] };
  }
  const [trigger] = objectOf<ScaledObject>(objects, "ScaledObject").spec.triggers;
  expect(recordedNames(trigger!.metadata.query)).toEqual(["streamer_streams_active", "streamer_capacity_streams"]);
});

test.each([
  { path: "/config/server not", over: { config: { server: { port: 9000 } } } },
  { path: "/config/server not", over: { config: { server: { processes: 2 } } } },
  { path: "/config/auth not", over: { config: { auth: { tokens: "/tokens" } } } },
  { path: "/config/model/workers minimum", over: { config: { model: { workers: 0 } } } },
  { path: " additionalProperties", over: { replcas: 2 } },
  { path: "/grpc/port not", over: { grpc: { port: 8080 } } },
  { path: "/engines/selector minProperties", over: { engines: { enabled: true } } },
  { path: "/autoscaling/keda/ratio maximum", over: { autoscaling: { keda: { ratio: 70 } } } },
])("the schema refuses $over", ({ path, over }) => {
  expect(faultsOf(merged(all[0]!.values, over))).toContain(path);
});

test("docs/kubernetes.md has values of the chart, valid and by their names", async () => {
  const page = await Bun.file(join(root, "docs", "kubernetes.md")).text();
  const examples = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(
    ([, text = ""]) => Bun.YAML.parse(text) as Values,
  );
  const values = examples.filter((example) => !Object.hasOwn(example, "rules"));
  expect(values.length).toBe(3);
  for (const example of values) expect(faultsOf(merged(all[0]!.values, example))).toEqual([]);
  const [roots, text] = [Object.keys(all[0]!.values), page.replaceAll(/^```yaml\n[^]*?^```$/gm, "")];
  const named = [...text.matchAll(/(?:`|--set )((?:\w+)(?:\.\w+)+)(?==|`|: )/g)].map(([, path = ""]) =>
    path.split("."),
  );
  const paths = named.filter(([first = ""]) => roots.includes(first) && first !== "config");
  expect(paths.length).toBeGreaterThan(20);
  const at = (path: readonly string[]): unknown =>
    path.reduce<unknown>((value, key) => (value as Values | undefined)?.[key], all[0]!.values);
  // Settings of the server have the same first words: those are checked with all pages.
  const settings = new Set(["auth.tokens", "auth.secret_file", "grpc.port"]);
  expect(paths.filter((path) => at(path) === undefined && !settings.has(path.join(".")))).toEqual([]);
});
