import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";

import { type ChannelCredentials, type ChannelOptions, Client, connectivityState, credentials } from "@grpc/grpc-js";

import type { EngineAddress, TransportOptions } from "./transport.ts";

/** Channels that are kept. Beyond it, the one that was not used for the longest time is closed: pods come and go. */
const MAX_CHANNELS = 64;
/** Without calls, the connection is closed. */
const IDLE_MS = 60_000;
/** Waits between attempts to connect; by default they grow to 120 s. */
const FIRST_RECONNECT_MS = 100;
const LAST_RECONNECT_MS = 1_000;
/**
 * What TLS calls an engine whose URL has an address. Names of servers may not be addresses, grpc-js 1.14.7 gives one
 * nevertheless, and Bun 1.4.5 refuses it. The certificate is checked for the address.
 */
const NAME_OF_ADDRESSES = "address.invalid";

/** A connection to an engine, made by its first call and made again when it is lost. */
export interface EngineChannel {
  readonly client: Client;
  readonly connected: () => boolean;
  /** Calls in a row that took too long. */
  timeouts: number;
}

/** The channels to all engines. */
export class EngineChannels {
  readonly #maxAnswerBytes: number;
  readonly #tls: TransportOptions["tls"];
  /** By address, the one that was used last at the end. */
  readonly #channels = new Map<string, EngineChannel>();

  constructor({ maxAnswerBytes, tls }: Pick<TransportOptions, "maxAnswerBytes" | "tls">) {
    this.#maxAnswerBytes = maxAnswerBytes;
    this.#tls = tls;
  }

  get(address: EngineAddress): EngineChannel {
    const key = `${address.url} ${address.hostName ?? ""}`;
    const channel = this.#channels.get(key) ?? this.#open(address);
    this.#channels.delete(key);
    this.#channels.set(key, channel);
    const [oldest] = this.#channels.values();
    if (this.#channels.size > MAX_CHANNELS && oldest !== undefined) this.discard(oldest);
    return channel;
  }

  /** Closes a channel. Its calls may still end. */
  discard(channel: EngineChannel): void {
    for (const [key, kept] of this.#channels) if (kept === channel) this.#channels.delete(key);
    channel.client.close();
  }

  close(): void {
    for (const { client } of this.#channels.values()) client.close();
    this.#channels.clear();
  }

  #open({ url, hostName }: EngineAddress): EngineChannel {
    const { protocol, hostname, port } = new URL(url);
    const secure = protocol === "https:";
    const target = `${hostname}:${port === "" ? (secure ? "443" : "80") : port}`;
    const name = hostName ?? hostname.replace(/^\[|\]$/g, "");
    const client = new Client(`dns:${target}`, secure ? this.#credentials(name) : credentials.createInsecure(), {
      ...this.#channelOptions(),
      ...(hostName === undefined ? {} : { "grpc.default_authority": hostName }),
      ...(secure ? { "grpc.ssl_target_name_override": isIP(name) === 0 ? name : NAME_OF_ADDRESSES } : {}),
    });
    const channel = client.getChannel();
    const connected = (): boolean => channel.getConnectivityState(false) === connectivityState.READY;
    return { client, connected, timeouts: 0 };
  }

  #channelOptions(): ChannelOptions {
    return {
      "grpc.max_receive_message_length": this.#maxAnswerBytes,
      "grpc.max_send_message_length": -1,
      "grpc.initial_reconnect_backoff_ms": FIRST_RECONNECT_MS,
      "grpc.max_reconnect_backoff_ms": LAST_RECONNECT_MS,
      "grpc.client_idle_timeout_ms": IDLE_MS,
      // Retries, proxies and the choice of an engine are those of the model's settings.
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      "grpc.service_config_disable_resolution": 1,
      // Connections are not shared with other models, so that closing the transport closes them.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
    };
  }

  /** @param name that the certificate of the engine has to be for: a host name or an address */
  #credentials(name: string): ChannelCredentials {
    const { ca, cert, key } = this.#tls ?? {};
    const bytes = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
    return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
      checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    });
  }
}
