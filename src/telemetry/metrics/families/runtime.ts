import type { MetricRegistry } from "../metric-registry.ts";
import { TIMER_DELAY_SECONDS, TURN_SECONDS } from "./buckets.ts";

/** JavaScript runtime: event loop, main thread and heap. */
export function runtimeFamilies(registry: MetricRegistry) {
  return {
    loopDelay: registry.histogram(
      "streamer_event_loop_delay_seconds",
      "Delay of a timer, measured 10 times a second.",
      TIMER_DELAY_SECONDS,
    ),
    loopUtilization: registry.gauge(
      "streamer_event_loop_utilization_ratio",
      "Share of the last seconds in which the main thread was busy.",
    ),
    mainThreadCpu: registry.counter("streamer_main_thread_cpu_seconds_total", "Processor time of the main thread."),
    mainThreadSeconds: registry.counter(
      "streamer_main_thread_seconds_total",
      "Main thread's time in Streamer's own code, by stage; of messages one in 16 is measured.",
      ["stage"],
    ),
    turnSeconds: registry.histogram(
      "streamer_event_loop_turn_seconds",
      "Processor time of a turn of the event loop, by the stage that took most of it.",
      TURN_SECONDS,
      ["stage"],
    ),
    turnWaitSeconds: registry.histogram(
      "streamer_event_loop_turn_wait_seconds",
      "Time within a turn of the event loop in which the main thread waited for a processor.",
      TURN_SECONDS,
    ),
    blocked: registry.counter(
      "streamer_event_loop_blocked_total",
      "Times that the main thread was held up for too long, by stage; other: code outside of the measured stages; " +
        "preempted: it waited for a processor.",
      ["stage"],
    ),
    blockedSeconds: registry.counter(
      "streamer_event_loop_blocked_seconds_total",
      "Time during which the main thread was held up for too long, by stage.",
      ["stage"],
    ),
    collections: registry.counter(
      "streamer_garbage_collections_requested_total",
      "Garbage collections requested: young because of received bytes, all while no stream is open. Bun does not " +
        "report its own.",
      ["kind"],
    ),
    heap: registry.gauge(
      "streamer_heap_bytes",
      "JavaScript heap: used, capacity, and external (memory that objects hold outside of it).",
      ["kind"],
    ),
    logDropped: registry.counter(
      "streamer_log_lines_dropped_total",
      "Log lines that were not written, because the reader of the log was too slow or the disk was full.",
    ),
  };
}
