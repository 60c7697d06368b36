import { lookup } from "node:dns/promises";
import { lstatSync } from "node:fs";
import { dirname } from "node:path";

import { parseAdminAddress } from "../../../config/admin-address.ts";
import type { Config } from "../../../config/config.ts";
import { dialectPorts } from "../../../config/dialect-ports.ts";
import { codeOf, messageOf } from "../../../lib/thrown.ts";
import { NativeLibraryError } from "../../../native/load-failure.ts";
import { ReservedPort } from "../../../native/reserved-port.ts";
import type { Check, Examined } from "../check.ts";
import type { ReportFinding } from "../finding.ts";
import { findFolderProblem } from "../permissions.ts";
import { findPortOwner, type PortOwner } from "../port-owner.ts";
import type { RunningServer } from "../running-server.ts";

/** Connections that the server lets wait, as far as the kernel does. */
const BACKLOG = 4_096;
/** Ports below this one need a privilege, unless the kernel is set otherwise. */
const PRIVILEGED = 1_024;

/** A port that the server would listen on. */
interface Place {
  /** Key of the port in the configuration. */
  readonly key: string;
  readonly host: string;
  readonly port: number;
}

/** Whether each configured port can be listened on. A port that is tried is free again at once, and nothing connects. */
export const ports: Check = {
  name: "ports",
  limitMs: 30_000,
  run: examinePorts,
};

async function examinePorts(examined: Examined, report: ReportFinding): Promise<void> {
  const { config, machine } = examined;
  const running = await examined.running();
  const places = placesOf(config);
  for (const [i, place] of places.entries()) {
    const other = places.slice(0, i).find((each) => overlap(each, place));
    if (other === undefined) await examinePlace(place, { ...examined, found: running }, report);
    else report("failure", place.key, `port ${place.port} is that of ${other.key}, too`, "choose a port for each");
  }
  const address = parseAdminAddress(config.server.admin);
  if (address !== undefined && "path" in address) examineSocket(address.path, running, report);
  const somaxconn = Number(machine.read("/proc/sys/net/core/somaxconn") ?? BACKLOG);
  if (somaxconn < BACKLOG) {
    const found = `net.core.somaxconn is ${somaxconn}: no more connections can wait while the server is busy`;
    report("note", "backlog", found, `sysctl -w net.core.somaxconn=${BACKLOG}`);
  }
}

/** Returns the ports that the server would listen on at once. */
function placesOf(config: Config): Place[] {
  const { host, port, admin } = config.server;
  const address = parseAdminAddress(admin);
  return [
    { key: "server.port", host, port },
    ...(address !== undefined && "host" in address ? [{ key: "server.admin", ...address }] : []),
    ...dialectPorts(config).map(({ section, ...place }) => ({ ...place, key: `${section}.port` })),
  ];
}

/** Returns true for two places of which only one can be listened on. */
function overlap(a: Place, b: Place): boolean {
  const isEverywhere = ({ host }: Place): boolean => host === "0.0.0.0" || host === "::";
  return a.port !== 0 && a.port === b.port && (a.host === b.host || isEverywhere(a) || isEverywhere(b));
}

async function examinePlace(
  { key, host, port }: Place,
  { machine, found: running }: Examined & { readonly found: RunningServer | undefined },
  report: ReportFinding,
): Promise<void> {
  const shown = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (port === 0) return report("ok", key, `${host}, a free port`);
  try {
    new ReservedPort((await lookup(host)).address, port)[Symbol.dispose]();
  } catch (error) {
    if (error instanceof NativeLibraryError) throw error;
    const failure = await describeFailure(error, { key, port, host, running });
    return report(failure.verdict ?? "failure", key, `${shown} ${failure.found}`, failure.remedy);
  }
  const [first = Infinity, last = 0] = (machine.read("/proc/sys/net/ipv4/ip_local_port_range") ?? "")
    .trim()
    .split(/\s+/)
    .map(Number);
  if (port >= first && port <= last) {
    const found = `${shown} is free, but in the range of outgoing connections (${first} to ${last}), which may take it`;
    return report("note", key, found, `choose another port, or sysctl -w net.ipv4.ip_local_reserved_ports=${port}`);
  }
  report("ok", key, `${shown} is free`);
}

interface Failure {
  /** Default: failure. */
  readonly verdict?: "note";
  readonly found: string;
  readonly remedy: string;
}

async function describeFailure(
  error: unknown,
  { key, port, host, running }: Place & { readonly running: RunningServer | undefined },
): Promise<Failure> {
  const other = `choose another one with ${key === "server.port" ? "--port" : `--set ${key}=...`}`;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return await describeUse(key, port, running);
    case "EACCES": {
      const grant =
        port < PRIVILEGED
          ? `sysctl -w net.ipv4.ip_unprivileged_port_start=${port}, or AmbientCapabilities=CAP_NET_BIND_SERVICE of systemd`
          : "let the security module of the system permit it";
      return { found: "needs privileges that this user does not have", remedy: `${other}, or ${grant}` };
    }
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT": {
      const what = host.includes(":") ? "this machine has no such IPv6 address" : "is no address of this machine";
      return {
        found: `cannot be listened on: ${what}`,
        remedy: "listen on 127.0.0.1, or on 0.0.0.0 for all addresses",
      };
    }
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { found: "cannot be listened on: the name has no address", remedy: "use an address, such as 127.0.0.1" };
    default:
      return { found: `cannot be listened on: ${messageOf(error)}`, remedy: other };
  }
}

/** Says who has a port. */
async function describeUse(key: string, port: number, running: RunningServer | undefined): Promise<Failure> {
  const owner = await findPortOwner(port);
  if (running !== undefined && (key === "server.port" || owner === undefined || isStreamer(owner))) {
    const version = running.version === undefined ? "" : ` ${running.version}`;
    const state = running.reason === undefined ? running.state : `${running.state}: ${running.reason}`;
    const found =
      key === "server.port"
        ? `is served by a Streamer${version} that runs already${processOf(owner)}: ${state}`
        : `is in use, probably by the server that runs already${processOf(owner)}`;
    return { verdict: "note", found, remedy: "stop it before another one is started there, or choose another port" };
  }
  const by = owner === undefined ? "" : ` by ${JSON.stringify(owner.name)}${processOf(owner)}`;
  const remedy = `stop that program, or choose another port with ${key === "server.port" ? "--port" : `--set ${key}=...`}`;
  return { found: `is in use${by}`, remedy };
}

function isStreamer({ name }: PortOwner): boolean {
  return name.startsWith("streamer") || name === "exe";
}

function processOf(owner: PortOwner | undefined): string {
  return owner === undefined ? "" : ` (process ${owner.pid})`;
}

/** The socket file of the address for operators. One that a server has left behind is replaced when the next starts. */
function examineSocket(path: string, running: RunningServer | undefined, report: ReportFinding): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isSocket()) {
    return report(
      "failure",
      "server.admin",
      `${path} is there already, and no socket`,
      "remove it, or use another path",
    );
  }
  const problem = findFolderProblem(dirname(path));
  if (problem !== undefined) {
    return report(
      "failure",
      "server.admin",
      `${path} cannot be created: ${problem}`,
      "use a path that can be written to",
    );
  }
  if (stat !== undefined && running !== undefined) {
    return report("note", "server.admin", `${path} is there, probably of the server that runs already`);
  }
  report("ok", "server.admin", `unix:${path} can be used`);
}
