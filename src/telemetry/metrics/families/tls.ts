import type { MetricRegistry } from "../metric-registry.ts";

/** Certificates of a server with TLS. Without TLS there are no series. */
export function tlsFamilies(registry: MetricRegistry) {
  const expiry = registry.gauge(
    "streamer_tls_certificate_expiry_timestamp_seconds",
    "Time at which the first certificate in use expires, in seconds since the epoch: of server.tls_cert (server), of " +
      "server.tls_client_ca (client_ca).",
    ["certificate"],
  );
  const expiries = new Map<"server" | "client_ca", number>();
  registry.onCollect(() => {
    for (const [certificate, expiresAt] of expiries) expiry.with({ certificate }).set(Math.floor(expiresAt / 1000));
  });
  return {
    expiry,
    /** When each certificate expires, in milliseconds since the epoch. */
    expiries,
    reloads: registry.counter(
      "streamer_tls_reloads_total",
      "Changes of the files with certificates and key: loaded, or refused because they are not valid.",
      ["result"],
    ),
  };
}

export type TlsFamilies = ReturnType<typeof tlsFamilies>;
