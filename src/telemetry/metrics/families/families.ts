import type { MetricRegistry } from "../metric-registry.ts";
import { audioFamilies } from "./audio.ts";
import { authFamilies } from "./auth.ts";
import { bufferFamilies } from "./buffers.ts";
import { connectionFamilies } from "./connections.ts";
import { inferenceFamilies } from "./inference.ts";
import { modelFamilies } from "./models.ts";
import { resultFamilies } from "./results.ts";
import { runtimeFamilies } from "./runtime.ts";
import { serverFamilies } from "./server.ts";
import { sessionFamilies } from "./sessions.ts";
import { stageFamilies } from "./stages.ts";
import { streamFamilies } from "./streams.ts";
import { tlsFamilies } from "./tls.ts";
import { trafficFamilies } from "./traffic.ts";
import { workerFamilies } from "./workers.ts";

export type MetricFamilies = ReturnType<typeof registerFamilies>;

/** Registers every metric of Streamer, one file of this folder a subject. `docs/metrics.md` explains each. */
export function registerFamilies(registry: MetricRegistry) {
  return {
    connections: connectionFamilies(registry),
    sessions: sessionFamilies(registry),
    streams: streamFamilies(registry),
    traffic: trafficFamilies(registry),
    audio: audioFamilies(registry),
    stages: stageFamilies(registry),
    inference: inferenceFamilies(registry),
    results: resultFamilies(registry),
    buffers: bufferFamilies(registry),
    workers: workerFamilies(registry),
    models: modelFamilies(registry),
    runtime: runtimeFamilies(registry),
    server: serverFamilies(registry),
    auth: authFamilies(registry),
    tls: tlsFamilies(registry),
  };
}
