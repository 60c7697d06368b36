import type { TcpSection } from "../config/dialect-ports.ts";
import { audiosocket } from "./audiosocket/port.ts";
import type { Port } from "./port.ts";
import { wyoming } from "./wyoming/port.ts";

/** The dialects that have TCP ports of their own, by the section of the configuration with the port. */
export const PORTS: Readonly<Record<TcpSection, Port>> = { wyoming, audiosocket };
