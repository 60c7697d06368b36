import { inBrackets } from "../lib/host-name.ts";
import { DEFAULT_HOST } from "./server-address.ts";
import type { Config } from "./settings.ts";

/** Sections of the configuration with a TCP port for one dialect, on which no client can show a token. */
export const TCP_SECTIONS = ["wyoming", "audiosocket"] as const;
export type TcpSection = (typeof TCP_SECTIONS)[number];

/** A port of a dialect that is not off. */
export interface DialectPort {
  /** Its section in the configuration, which is the name of the dialect. */
  readonly section: string;
  /** The scheme of addresses of this port. */
  readonly scheme: "tcp" | "ws" | "grpc";
  readonly host: string;
  readonly port: number;
}

/** A TCP port that is not off, and who may use it. */
export interface TcpDialectPort extends DialectPort {
  readonly section: TcpSection;
  readonly allow: readonly string[];
  readonly principal: string;
}

/** Returns the TCP ports of dialects that are not off. */
export function tcpDialectPorts(config: Pick<Config, TcpSection>): TcpDialectPort[] {
  return TCP_SECTIONS.map((section): TcpDialectPort => ({ section, scheme: "tcp", ...config[section] })).filter(isOn);
}

/** Returns the ports of dialects, beside that of HTTP, that are not off. */
export function dialectPorts(config: Pick<Config, TcpSection | "vosk" | "grpc">): DialectPort[] {
  const vosk: DialectPort = { section: "vosk", scheme: "ws", host: DEFAULT_HOST, port: config.vosk.port };
  return [...tcpDialectPorts(config), vosk, grpcPort(config)].filter(isOn);
}

/** Returns the port of gRPC. It is 0 when gRPC is off. */
export function grpcPort({ grpc }: Pick<Config, "grpc">): DialectPort {
  return { section: "grpc", scheme: "grpc", ...grpc };
}

/** Returns the address of a port, such as `tcp://127.0.0.1:10300`. */
export function addressOfPort({ scheme, host, port }: DialectPort): string {
  return `${scheme}://${inBrackets(host)}:${port}`;
}

function isOn({ port }: DialectPort): boolean {
  return port !== 0;
}
