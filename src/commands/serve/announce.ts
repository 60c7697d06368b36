import type { Config } from "../../config/config.ts";
import { addressOfPort, dialectPorts } from "../../config/dialect-ports.ts";
import type { ServeConsole } from "./console.ts";

/**
 * Reports that a server accepts streams, and where: prints a line for each address, that of HTTP first, and writes a log
 * record. @param url `http://HOST:PORT` or `https://HOST:PORT`; @param fields further fields of the record
 */
export function announce(
  { print, log }: Pick<ServeConsole, "print" | "log">,
  {
    url,
    config,
    fields,
  }: { readonly url: string; readonly config: Config; readonly fields: Readonly<Record<string, unknown>> },
): void {
  const ports = dialectPorts(config).map((port) => [port.section, addressOfPort(port)] as const);
  print(`listening on ${url}`);
  for (const [section, address] of ports) print(`listening on ${address} for ${section}`);
  log.info("ready", { url, ...(ports.length > 0 && { ports: Object.fromEntries(ports) }), ...fields });
}
