import { accessSync, constants, statfsSync } from "node:fs";

import type { Config } from "../../../config/config.ts";
import { mountOptions, readMounts } from "../../../lib/mounts.ts";
import { isModelPath, isPythonPath } from "../../../model/models.ts";
import { formatBytes } from "../bytes.ts";
import type { Check, Machine } from "../check.ts";
import type { ReportFinding } from "../finding.ts";

/** Less shared memory than this is too little for what libraries of models put there. */
const LEAST_SHARED_BYTES = 128 * 1024 * 1024;
const GROUPS = /docker|kubepods|containerd|libpod|crio|lxc/;

/** What differs in containers. Nothing is reported elsewhere. */
export const container: Check = {
  name: "container",
  limitMs: 5_000,
  run: ({ machine, config }, report) => examineContainer(machine, config, report),
};

/** @param sharedBytes size of /dev/shm; undefined: there is none */
export function examineContainer(
  machine: Pick<Machine, "read" | "env">,
  config: Pick<Config, "model" | "models">,
  report: ReportFinding,
  { mounts = readMounts(), sharedBytes = sharedMemory(), pid = process.pid } = {},
): void {
  const kind = containerKind(machine);
  if (kind === undefined) return;
  const names = [config.model, ...Object.values(config.models)].map(({ name }) => name);
  const isReadOnly = mountOptions("/", mounts).includes("ro");
  report("ok", "container", `${kind}${isReadOnly ? ", read-only" : ""}`);
  if (pid === 1 && names.some(isPythonPath)) {
    const found = "this is process 1, which has to wait for processes that models start and leave behind";
    report("note", "process 1", found, "start the container with --init (init: true in compose.yaml)");
  }
  if (isReadOnly && names.some(isModelPath) && !canWriteHome(machine.env)) {
    const found =
      "nothing can be written to the home folder: a model that downloads or compiles something cannot keep it";
    report("note", "home folder", found, "mount a folder, and name it by HF_HOME, XDG_CACHE_HOME or the like");
  }
  if (names.some(isPythonPath) && sharedBytes !== undefined && sharedBytes < LEAST_SHARED_BYTES) {
    const found = `/dev/shm has ${formatBytes(sharedBytes)}: too little for models that start processes of their own`;
    report("note", "/dev/shm", found, "start the container with --shm-size=1g (shm_size: 1g in compose.yaml)");
  }
}

/** Returns what kind of container this is; undefined: none. */
function containerKind({ read, env }: Pick<Machine, "read" | "env">): string | undefined {
  if (env["KUBERNETES_SERVICE_HOST"] !== undefined) return "Kubernetes";
  if (read("/.dockerenv") !== undefined) return "Docker";
  if (read("/run/.containerenv") !== undefined) return "Podman";
  return GROUPS.test(read("/proc/self/cgroup") ?? "") ? "a container" : undefined;
}

function canWriteHome(env: Machine["env"]): boolean {
  try {
    accessSync(env["XDG_CACHE_HOME"] ?? env["HOME"] ?? "/", constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function sharedMemory(): number | undefined {
  try {
    const { blocks, bsize } = statfsSync("/dev/shm");
    return blocks * bsize;
  } catch {
    return undefined;
  }
}
