import type { MetricRegistry } from "../metric-registry.ts";

/** Messages in both directions, and the events among them. */
export function trafficFamilies(registry: MetricRegistry) {
  return {
    receivedBytes: registry.counter(
      "streamer_received_bytes_total",
      "Payload bytes of received messages: audio or text.",
      ["kind"],
    ),
    receivedMessages: registry.counter("streamer_received_messages_total", "Received messages: audio or text.", [
      "kind",
    ]),
    sentBytes: registry.counter("streamer_sent_bytes_total", "Payload bytes of sent messages: audio or text.", [
      "kind",
    ]),
    sentMessages: registry.counter("streamer_sent_messages_total", "Sent messages: audio or text.", ["kind"]),
    eventsSent: registry.counter("streamer_events_sent_total", "Sent events, by type.", ["type"]),
    errors: registry.counter("streamer_errors_total", "Sent error events, by code.", ["code"]),
    warnings: registry.counter("streamer_warnings_total", "Sent warning events, by code.", ["code"]),
  };
}
