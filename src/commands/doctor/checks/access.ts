import { statSync } from "node:fs";

import { isExpired } from "../../../auth/grant.ts";
import { readKeyring } from "../../../auth/keyring-file.ts";
import { KeyringError } from "../../../auth/keyring.ts";
import { TokenFile } from "../../../auth/token-file.ts";
import { TokenListError } from "../../../auth/token-list.ts";
import type { Config } from "../../../config/config.ts";
import { tcpDialectPorts } from "../../../config/dialect-ports.ts";
import { formatCount } from "../../terminal/numbers.ts";
import type { Check } from "../check.ts";
import { CollectedLog } from "../collected-log.ts";
import type { ReportFinding } from "../finding.ts";
import { permissionRemedy } from "../permissions.ts";

const DAY_MS = 86_400_000;
/** Tokens that expire within this time are mentioned. */
const SOON_DAYS = 14;

/** The token file and the file of keys. What is in them is not shown. */
export const access: Check = {
  name: "access",
  limitMs: 10_000,
  run: ({ config, machine }, report) => {
    examineTokens(config, machine.now(), report);
    examineKeys(config.auth.secret_file, report);
  },
};

/** @param now milliseconds since 1970 */
export function examineTokens(config: Config, now: number, report: ReportFinding): void {
  const { tokens: path } = config.auth;
  if (path === "none") return;
  const log = new CollectedLog();
  let file: TokenFile;
  try {
    file = new TokenFile({ path, log });
  } catch (error) {
    if (!(error instanceof TokenListError)) throw error;
    for (const problem of error.problems) {
      const add = `streamer token new NAME --file ${path} adds a line`;
      const remedy = problem.includes("allowed: chmod") ? undefined : (permissionRemedy(problem) ?? add);
      report("failure", "auth.tokens", problem, remedy);
    }
    return;
  }
  for (const { text } of log.messages) {
    const [found = "", remedy = "give a token with streamer token new NAME --file FILE"] = text.split("; better: ");
    report("warning", "auth.tokens", found, remedy);
  }
  const grants = [...file.tokens.grants];
  const expired = grants.filter((grant) => isExpired(grant, now));
  const soon = grants.filter((grant) => !isExpired(grant, now) && isExpired(grant, now + SOON_DAYS * DAY_MS));
  const operators = grants.filter(({ admin }) => admin).length;
  const counts = `${formatCount(grants.length - operators, "token")} of clients, ${operators} of operators`;
  const found = `${path}: ${counts}`;
  const names = (some: typeof grants): string => [...new Set(some.map(({ name }) => name))].slice(0, 5).join(", ");
  if (grants.length > 0 && expired.length === grants.length) {
    report("warning", "auth.tokens", `${found}; all have expired, so that nobody can connect`, "give new ones");
  } else if (expired.length > 0) {
    report(
      "note",
      "auth.tokens",
      `${found}; ${expired.length} of them have expired (${names(expired)})`,
      "remove them",
    );
  } else if (soon.length > 0) {
    const text = `${found}; ${soon.length} of them expire within ${SOON_DAYS} days (${names(soon)})`;
    report("note", "auth.tokens", text, "give these clients new ones");
  } else if (grants.length > 0) report("ok", "auth.tokens", found);
  for (const { section, principal } of tcpDialectPorts(config)) {
    if (file.tokens.named(principal, now) !== undefined) continue;
    const key = `${section}.principal`;
    report("warning", key, `${principal} has no valid token: clients of this port are refused`, "name one that has");
  }
}

/** @param path `auth.secret_file` */
export function examineKeys(path: string, report: ReportFinding): void {
  if (path === "none") return;
  // A pipe is for one reader: the server.
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO() === true) {
    return report("note", "auth.secret_file", `${path} is a pipe, which is left to the server`);
  }
  try {
    const count = readKeyring(path)?.keys.length ?? 0;
    report("ok", "auth.secret_file", `${path}: ${formatCount(count, "key")}`);
  } catch (error) {
    if (!(error instanceof KeyringError)) throw error;
    const found = error.message.replace(/^auth\.secret_file: /, "");
    const make = "openssl rand -base64 32 makes a secret; a line has an id in front of it";
    report("failure", "auth.secret_file", found, permissionRemedy(found) ?? make);
  }
}
