import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chart, type KubernetesObject, parsed, parseObjects, renderings } from "../../support/deploy/chart.ts";
import { root } from "../../support/documents.ts";
import { exclusively } from "../../support/exclusively.ts";
import { keptPath } from "../../support/kept.ts";
import { output } from "../../support/output.ts";
import { pythonPackages, runCommand } from "../../support/python-packages.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

// The first time, packages are installed.
setDefaultTimeout(600_000);

const VALIDATOR = "kubernetes-validate==1.37.0\n";
/** The oldest version of Kubernetes that Chart.yaml allows, and the newest whose schemas are in the package. */
const VERSIONS = ["1.30", "1.37"];
const HELM = "helm.sh/helm/v4/cmd/helm@v4.3.1";
/** Schemas of objects that are no part of Kubernetes. */
const MODELS = ["@kubernetes-models/keda@2.0.0", "@kubernetes-models/prometheus-operator@6.0.0"];

const all = await renderings();
const objects = all.flatMap((each) => each.objects);
const isCustom = ({ apiVersion }: KubernetesObject): boolean =>
  /^(?:keda\.sh|monitoring\.coreos\.com)\//.test(apiVersion);
const python = await pythonPackages(VALIDATOR, true);
const models = await modelPackages();
const helm = Bun.which("helm") ?? undefined;
if (helm === undefined) reportMissing(`helm is not installed (go install ${HELM}): rendered files may be out of date`);

/** Returns a folder with the packages of MODELS, which is kept between runs. */
async function modelPackages(): Promise<string | undefined> {
  const name = Bun.hash(MODELS.join()).toString(16);
  const folder = keptPath(`kubernetes-models-${name}`);
  return await exclusively(`${folder}.lock`, async () => {
    const done = join(folder, "installed.txt");
    if (existsSync(done)) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const install = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", ...MODELS];
    const problem = await runCommand(install);
    if (problem !== undefined) {
      reportMissing(`the schemas of KEDA and the Prometheus operator cannot be installed: ${problem}`);
      return undefined;
    }
    await Bun.write(done, MODELS.join("\n"));
    return folder;
  });
}

/** Problems of objects by the schemas of Kubernetes, and of values by that of the chart. */
async function problemsOf(checked: readonly unknown[], values: readonly unknown[]): Promise<string[]> {
  const schema: unknown = await Bun.file(join(chart, "values.schema.json")).json();
  const program = [join(python!, "bin", "python"), join(import.meta.dir, "kubernetes", "validate.py")];
  const child = Bun.spawn(program, {
    stdin: new Blob([JSON.stringify({ versions: VERSIONS, objects: checked, values, schema })]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (out === "") throw new Error(err);
  return JSON.parse(out) as string[];
}

testWith(python)(`Kubernetes ${VERSIONS.join(" and ")} know every field of what the chart makes`, async () => {
  const builtIn = objects.filter((each) => !isCustom(each));
  const kinds = ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"];
  expect([...new Set(builtIn.map(({ kind }) => kind))].sort()).toEqual([...kinds, "Service", "ServiceAccount"]);
  expect(
    await problemsOf(
      builtIn,
      all.map(({ values }) => values),
    ),
  ).toEqual([]);
  const broken = structuredClone(builtIn.find(({ kind }) => kind === "Deployment")!) as KubernetesObject & {
    spec: Record<string, unknown>;
  };
  broken.spec["replcas"] = 2;
  expect(await problemsOf([broken], [{ replicas: "many" }])).toEqual([
    ...VERSIONS.map((version) => expect.stringContaining(`${version}: Deployment streamer: ValidationError`)),
    expect.stringContaining("replicas: 'many' is not of type 'integer'"),
  ]);
  const { kubeVersion } = await parsed<{ kubeVersion: string }>(chart, "Chart.yaml");
  expect(kubeVersion).toBe(`>=${VERSIONS[0]}.0-0`);
});

testWith(models)("KEDA and the Prometheus operator know every field of theirs", async () => {
  const custom = objects.filter(isCustom);
  expect(new Set(custom.map(({ kind }) => kind))).toEqual(new Set(["ScaledObject", "PodMonitor"]));
  const places = { ScaledObject: "keda/keda.sh/v1alpha1", PodMonitor: "prometheus-operator/monitoring.coreos.com/v1" };
  type Model = new (object: unknown) => { validate(): void };
  for (const [kind, place] of Object.entries(places)) {
    const path = Bun.resolveSync(`@kubernetes-models/${place}`, models!);
    const known = ((await import(path)) as Record<string, Model>)[kind]!;
    for (const object of custom.filter((each) => each.kind === kind)) {
      new known(object).validate();
      expect(() => new known({ ...object, spec: {} }).validate()).toThrow();
    }
  }
});

testWith(helm)("helm lints the chart, and the rendered files are what it makes", async () => {
  for (const { name, file, objects: committed } of all) {
    const values = file === undefined ? [] : ["--values", file];
    const lint = await output([helm!, "lint", "--strict", chart, ...values], root);
    expect([name, lint.code, lint.text]).toEqual([name, 0, expect.stringContaining("0 chart(s) failed")]);
    const made = await output([helm!, "template", "streamer", chart, "--namespace", "streamer", ...values], root);
    expect([name, made.code]).toEqual([name, 0]);
    expect(parseObjects(made.text)).toEqual([...committed]);
  }
});

testWith(helm)("helm refuses combinations that cannot work, and says which value", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-values-"));
  const cases = [
    ["tls.clientCaKey=ca.crt", "tls.clientCaKey: allowed with tls.secretName only"],
    [
      "tls.secretName=a,tls.clientCaKey=ca.crt",
      "config.server.admin: found none; allowed with tls.clientCaKey: 127.0.0.1:PORT",
    ],
    ["replicas=0", "replicas: found 0; allowed without autoscaling: 1 or more"],
    [
      "autoscaling.kind=hpa,autoscaling.minReplicas=20",
      "autoscaling.minReplicas: found 20; allowed: up to autoscaling.maxReplicas, 10",
    ],
    ["podMonitor.enabled=true,auth.tokensSecretName=a", "podMonitor.tokenSecretName: found nothing"],
    ["config.server.port=9000", "config"],
  ] as const;
  for (const [set, problem] of cases) {
    const { code, text } = await output([helm!, "template", "streamer", chart, "--set", set], folder);
    expect([set, code]).toEqual([set, 1]);
    expect(text).toContain(problem);
  }
  const mutual = "tls.secretName=a,tls.clientCaKey=ca.crt,config.server.admin=127.0.0.1:9091";
  const made = await output([helm!, "template", "streamer", chart, "--set", mutual], folder);
  const deployment = JSON.stringify(parseObjects(made.text).find(({ kind }) => kind === "Deployment"));
  expect(deployment).toContain('"/app/streamer","health","--addr","http://127.0.0.1:9091","--ready"');
  await rm(folder, { recursive: true });
});

test("the script that renders them covers every example", async () => {
  const script = await Bun.file(join(root, "deploy", "helm", "render.sh")).text();
  expect(script).toContain("for values in examples/*.yaml");
  expect(script.match(/helm template streamer streamer --namespace streamer/g)).toHaveLength(2);
});
