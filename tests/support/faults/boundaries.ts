import { Arena } from "../../../src/audio/arena.ts";
import { Decoder } from "../../../src/audio/decoder.ts";
import { ForeignScanner } from "../../../src/audio/foreign-scanner.ts";
import { LooksLike } from "../../../src/audio/looks-like.ts";
import { Store } from "../../../src/audio/store.ts";
import { AudioWarnings } from "../../../src/audio/warnings.ts";
import { WavScanner } from "../../../src/audio/wav-scanner.ts";
import { Access } from "../../../src/auth/access.ts";
import { Keyring } from "../../../src/auth/keyring.ts";
import { Refusals } from "../../../src/auth/refusals.ts";
import { Tickets } from "../../../src/auth/tickets.ts";
import { TokenFile } from "../../../src/auth/token-file.ts";
import { Tokens } from "../../../src/auth/tokens.ts";
import { UsedTickets } from "../../../src/auth/used-tickets.ts";
import { Headroom } from "../../../src/capacity/headroom.ts";
import { AssemblyAiDialect } from "../../../src/dialects/assemblyai/dialect.ts";
import { CallDialect } from "../../../src/dialects/call-dialect.ts";
import { DeepgramDialect } from "../../../src/dialects/deepgram/dialect.ts";
import { RecordedDialect } from "../../../src/dialects/deepgram/files/dialect.ts";
import { FileDialect } from "../../../src/dialects/files/file-dialect.ts";
import { GrpcDialect } from "../../../src/dialects/grpc/dialect.ts";
import { OpenAiDialect } from "../../../src/dialects/openai/dialect.ts";
import { TranscriptionDialect } from "../../../src/dialects/openai/files/dialect.ts";
import { SpeechDialect } from "../../../src/dialects/speech/dialect.ts";
import { SpeechmaticsDialect } from "../../../src/dialects/speechmatics/dialect.ts";
import { StreamerDialect } from "../../../src/dialects/streamer.ts";
import { VoskDialect } from "../../../src/dialects/vosk/dialect.ts";
import { WatchDialect } from "../../../src/dialects/watch/dialect.ts";
import { WyomingDialect } from "../../../src/dialects/wyoming/dialect.ts";
import { DecodeChain } from "../../../src/native/chain.ts";
import { EnergyVad } from "../../../src/native/vad.ts";
import { Answers } from "../../../src/pipeline/answers.ts";
import { SegmentedPipeline } from "../../../src/pipeline/segmented-pipeline.ts";
import { SimplePipeline } from "../../../src/pipeline/simple.ts";
import { StatefulPipeline } from "../../../src/pipeline/stateful.ts";
import { Dispatcher } from "../../../src/pool/dispatcher.ts";
import { Outcomes } from "../../../src/pool/outcomes.ts";
import { PoolTelemetry } from "../../../src/pool/pool-telemetry.ts";
import { ModelPool } from "../../../src/pool/pool.ts";
import { Scheduler } from "../../../src/pool/scheduler.ts";
import { WakeTimer } from "../../../src/pool/wake-timer.ts";
import { WorkerSlot } from "../../../src/pool/worker-slot.ts";
import { Workers } from "../../../src/pool/workers.ts";
import { ArenaTrimmer } from "../../../src/server/arena-trimmer.ts";
import { ConnectionLimit } from "../../../src/server/connections/connection-limit.ts";
import { DescriptorWatch } from "../../../src/server/connections/descriptors.ts";
import { Edge } from "../../../src/server/edge/edge.ts";
import { OwnNames } from "../../../src/server/edge/own-names.ts";
import { FrameBudget, SharedFrameBudget } from "../../../src/server/frame-budget.ts";
import { GarbageCollector } from "../../../src/server/gc.ts";
import { GrpcCall } from "../../../src/server/grpc/grpc-call.ts";
import { GrpcConnection } from "../../../src/server/grpc/grpc-connection.ts";
import { GrpcListener } from "../../../src/server/grpc/grpc-listener.ts";
import { GrpcPort } from "../../../src/server/grpc/grpc-port.ts";
import { HealthService } from "../../../src/server/grpc/health.ts";
import { Readiness } from "../../../src/server/readiness.ts";
import { TcpClient } from "../../../src/server/tcp/tcp-client.ts";
import { TcpConnection } from "../../../src/server/tcp/tcp-connection.ts";
import { TcpPort } from "../../../src/server/tcp/tcp-port.ts";
import { CredentialsWatch } from "../../../src/server/tls/credentials-watch.ts";
import { ExpiryLog } from "../../../src/server/tls/expiry-log.ts";
import { Upload } from "../../../src/server/uploads/upload.ts";
import { Uploads } from "../../../src/server/uploads/uploads.ts";
import { WebSocketConnection } from "../../../src/server/websocket-connection.ts";
import { WebSockets } from "../../../src/server/websocket.ts";
import { CallConnection } from "../../../src/session/call-connection.ts";
import { CallRelay } from "../../../src/session/call-relay.ts";
import { Calls } from "../../../src/session/calls.ts";
import { Conversation } from "../../../src/session/conversation.ts";
import { Deadlines } from "../../../src/session/deadlines.ts";
import { Inputs } from "../../../src/session/inputs.ts";
import { MessageMeter } from "../../../src/session/message-meter.ts";
import { Outbox } from "../../../src/session/outbox.ts";
import { ReadGate } from "../../../src/session/read-gate.ts";
import { SessionEnd } from "../../../src/session/session-end.ts";
import { SessionLog } from "../../../src/session/session-log.ts";
import { LocalPlaces } from "../../../src/session/session-places.ts";
import { Session } from "../../../src/session/session.ts";
import { Sessions } from "../../../src/session/sessions.ts";
import { Slice, Turns } from "../../../src/session/turns.ts";
import { Channel } from "../../../src/stream/channel.ts";
import { Channels } from "../../../src/stream/channels.ts";
import { Feed } from "../../../src/stream/feed.ts";
import { Intake } from "../../../src/stream/intake.ts";
import { MemoryPlace } from "../../../src/stream/memory-place.ts";
import { Memory } from "../../../src/stream/memory.ts";
import { QuietTimer } from "../../../src/stream/quiet-timer.ts";
import { Checkpoints } from "../../../src/stream/resume/checkpoints.ts";
import { Resumption } from "../../../src/stream/resume/resumption.ts";
import { TokenSealer } from "../../../src/stream/resume/sealed-token.ts";
import { Snapshots } from "../../../src/stream/resume/snapshots.ts";
import { Track } from "../../../src/stream/resume/track.ts";
import { StreamAdmission } from "../../../src/stream/stream-admission.ts";
import { StreamTelemetry } from "../../../src/stream/stream-telemetry.ts";
import { Stream } from "../../../src/stream/stream.ts";
import { MainThreadTimer } from "../../../src/telemetry/metrics/main-thread-timer.ts";
import { MetricRegistry } from "../../../src/telemetry/metrics/metric-registry.ts";
import { ModelMetrics } from "../../../src/telemetry/metrics/model-metrics.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";
import { StreamMetrics } from "../../../src/telemetry/metrics/stream-metrics.ts";
import { CountingProcessor } from "../../../src/telemetry/tracing/counted-spans.ts";
import { OtelTracing } from "../../../src/telemetry/tracing/otel-tracing.ts";
import { StreamSpans } from "../../../src/telemetry/tracing/stream-spans.ts";
import { Endpointer } from "../../../src/vad/endpointer.ts";
import { EnergyDetector } from "../../../src/vad/energy.ts";
import { FixedThreshold } from "../../../src/vad/fixed-threshold.ts";
import { QuietSpeech } from "../../../src/vad/quiet-speech.ts";
import { CallRing } from "../../../src/worker/call-ring.ts";
import { ModelCaller } from "../../../src/worker/model-caller.ts";
import { ResultRing } from "../../../src/worker/result-ring.ts";
import { SpanReader } from "../../../src/worker/span-reader.ts";

/** A class with its prototype. */
type Class = { readonly name: string; readonly prototype: object };

/** The classes at each boundary. Each of their methods is a place where a fault can be made to happen. */
export const BOUNDARIES: Readonly<Record<string, readonly Class[]>> = {
  transport: [
    WebSocketConnection,
    WebSockets,
    FrameBudget,
    SharedFrameBudget,
    TcpConnection,
    TcpClient,
    TcpPort,
    GrpcConnection,
    GrpcCall,
    GrpcPort,
    GrpcListener,
    HealthService,
    Upload,
    Uploads,
  ],
  session: [
    Sessions,
    Session,
    SessionEnd,
    Conversation,
    Inputs,
    ReadGate,
    Outbox,
    Deadlines,
    SessionLog,
    MessageMeter,
    Turns,
    Slice,
    LocalPlaces,
    Calls,
    CallConnection,
    CallRelay,
  ],
  resume: [Checkpoints, Resumption, Snapshots, Track, TokenSealer, Keyring],
  admission: [Access, Refusals, Tokens, TokenFile, Tickets, UsedTickets, Edge, OwnNames],
  dialect: [
    StreamerDialect,
    DeepgramDialect,
    OpenAiDialect,
    VoskDialect,
    WyomingDialect,
    GrpcDialect,
    AssemblyAiDialect,
    SpeechmaticsDialect,
    SpeechDialect,
    FileDialect,
    TranscriptionDialect,
    RecordedDialect,
    CallDialect,
    WatchDialect,
  ],
  stream: [Stream, Channels, Channel, Feed, Intake, MemoryPlace, Memory, QuietTimer, StreamAdmission, Headroom],
  decoder: [Decoder, DecodeChain, WavScanner, ForeignScanner, LooksLike, AudioWarnings, Arena, Store],
  detector: [EnergyVad, EnergyDetector, FixedThreshold, Endpointer, QuietSpeech],
  pipeline: [SimplePipeline, SegmentedPipeline, StatefulPipeline, Answers],
  pool: [ModelPool, Dispatcher, Scheduler, Outcomes, Workers, WorkerSlot, WakeTimer],
  host: [CallRing, ResultRing],
  worker: [SpanReader, ModelCaller],
  telemetry: [
    StreamTelemetry,
    StreamMetrics,
    ModelMetrics,
    ServerMetrics,
    MetricRegistry,
    MainThreadTimer,
    PoolTelemetry,
    StreamSpans,
    OtelTracing,
    CountingProcessor,
  ],
  server: [CredentialsWatch, ExpiryLog, Readiness, GarbageCollector, ConnectionLimit, DescriptorWatch, ArenaTrimmer],
};

/** One place. */
export interface Seam {
  readonly boundary: string;
  readonly of: Class;
  readonly method: string;
  /** Such as `Decoder.push`. */
  readonly name: string;
}

/** Methods at the boundary to the host that a worker calls, not the main thread. */
const OF_WORKERS: ReadonlySet<string> = new Set([
  "CallRing.countReceived",
  "CallRing.isAnswered",
  "CallRing.sleep",
  "CallRing.take",
  "ResultRing.signal",
  "ResultRing.write",
]);

/** Whether a place is in the threads of workers. */
export function isOfWorkers({ boundary, name }: Seam): boolean {
  return boundary === "worker" || OF_WORKERS.has(name);
}

/** Every place where a fault can be made to happen. */
export const SEAMS: readonly Seam[] = Object.entries(BOUNDARIES).flatMap(([boundary, classes]) =>
  classes.flatMap((of) => methodsOf(of).map((method) => ({ boundary, of, method, name: `${of.name}.${method}` }))),
);

function methodsOf({ prototype }: Class): string[] {
  return Object.getOwnPropertyNames(prototype).filter((name) => {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
    return name !== "constructor" && typeof value === "function";
  });
}

/** Classes that are at no boundary of a session, by the reason. */
export const INSIDE: Readonly<Record<string, readonly string[]>> = {
  "a small structure within one class of a boundary": [
    "Linger",
    "ByteBlocks",
    "AnswerParts",
    "ArenaMemory",
    "AskedFields",
    "AsteriskReader",
    "AudioSocketFramer",
    "AudioSocketReader",
    "BlobReader",
    "BlockSampler",
    "CallSignal",
    "Bucket",
    "DownMix",
    "EncodedState",
    "FileAudio",
    "FormFramer",
    "FormatGuess",
    "FrameReader",
    "FreeSlabs",
    "Handle",
    "Inbox",
    "Inspector",
    "LevelHistory",
    "ModelCall",
    "NewRates",
    "MultipartParser",
    "Order",
    "OutputLines",
    "ProcessCalls",
    "ThreadCalls",
    "PcmConverter",
    "QueueBudget",
    "RawFramer",
    "RecordedAnswers",
    "RequestBody",
    "Resampler",
    "Shares",
    "SpanReaders",
    "SpeechEvents",
    "TextGuess",
    "ToldUtterances",
    "Transcript",
    "TranscriptionAnswers",
    "Transports",
    "UnsentBytes",
    "UtteranceEnds",
    "AudioClock",
    "CommittedTurns",
    "Deltas",
    "DetectedTurns",
    "Item",
    "Items",
    "SessionObject",
    "WavStart",
    "AudioOpening",
    "TopByteRemover",
    "TrailingChunks",
    "TwilioReader",
    "WaitingLine",
    "WavHeaderReader",
    "WyomingFramer",
  ],
  "part of a pipeline, or of its answers": [
    "AnswerEvents",
    "PinnedTurns",
    "PinnedUtterances",
    "StateTurns",
    "WholeUtterances",
  ],
  "part of the dispatcher, the scheduler, or what calls the model": [
    "Assignments",
    "CallEnds",
    "Disposals",
    "LookAhead",
    "OpenJobs",
    "OverdueCalls",
    "Owners",
    "PinnedLane",
    "PinnedScheduler",
    "PinnedStreams",
    "PinnedWorker",
    "QueuedJob",
    "Restarts",
    "SchedulerLane",
    "Selection",
    "WaitingJobs",
    "Withdrawals",
    "WorkerCalls",
  ],
  "part of the estimate behind Headroom": [
    "Arrivals",
    "KindLoad",
    "ModelLoad",
    "StandingWait",
    "StreamLoad",
    "ThreadLoad",
    "Trip",
  ],
  "an instrument, which adds a number": [
    "CapacityEstimator",
    "Counter",
    "DeclaredFamilies",
    "Gauge",
    "Histogram",
    "MessageCounters",
    "MetricFamily",
    "RecordedMetrics",
    "ReportedMetrics",
    "TurnMeter",
  ],
  "an error": [
    "FrameError",
    "InvalidState",
    "KeyringError",
    "ListenError",
    "NativeLibraryError",
    "TlsFault",
    "TokenLineError",
    "TokenListError",
  ],
  "a program of its own, or its start and end": [
    "AddonFlag",
    "AbandonedHosts",
    "AdminServer",
    "AdoptingIdGenerator",
    "ChildProcess",
    "Doors",
    "InheritedFiles",
    "Listener",
    "ListeningGate",
    "ListeningSocket",
    "ModelProcess",
    "ModelReports",
    "ModelThread",
    "ProcessHost",
    "ProcessTotals",
    "ProcessWatch",
    "ReservedPort",
    "RestartDelay",
    "Server",
    "ServerChild",
    "SessionTable",
    "SharedPlaces",
    "Supervisor",
    "SupervisorLink",
    "ThreadHost",
    "WavAudio",
  ],
  "a reload of models, whose faults are its answer": ["ModelEntry", "ReloadQueue"],
  "what logs a fault, and its limits": ["FaultLog", "LineOutput", "RateLimitedLog"],
  "looks at the others and is looked at by timers of its own": [
    "CountingExporter",
    "LoadWatch",
    "ModelWatch",
    "RuntimeMonitor",
  ],
};

/** Methods whose fault is not made to happen, by the reason. */
export const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "it is what gives something back: what it should have given back stays": [
    "Arena.release",
    "Arena.releaseSpan",
    "Outcomes.release",
    "StreamTelemetry.stopped",
    "StreamMetrics.stopped",
  ],
};

/**
 * Methods that no client reaches while the test looks, so that no fault is made there, by the reason. The long run fails
 * for a method that is neither reached nor here.
 */
export const NOT_REACHED: Readonly<Record<string, readonly string[]>> = {
  "it is called when the process starts": [
    "Headroom.modelLoaded",
    "ModelMetrics.observePool",
    "ModelMetrics.declare",
    "MetricRegistry.findClash",
    "MetricRegistry.counter",
    "MetricRegistry.gauge",
    "MetricRegistry.histogram",
    "MetricRegistry.onCollect",
    "PoolTelemetry.modelLoaded",
    "CredentialsWatch.begin",
    "Readiness.loaded",
    "Readiness.loadProgress",
    "DescriptorWatch.sessionLimit",
    "DescriptorWatch.connectionLimit",
    "ConnectionLimit.settle",
    "ConnectionLimit.watch",
  ],
  "it is called when the process drains or ends": [
    "Sessions.drain",
    "Session.drain",
    "Session.abortForShutdown",
    "SessionEnd.drain",
    "ModelPool.close",
    "Dispatcher.close",
    "Workers.close",
    "WorkerSlot.close",
    "WakeTimer.cancel",
    "Readiness.draining",
    "ConnectionLimit.stop",
  ],
  "it is called when there are too many connections, or for a page of metrics": [
    "WebSockets.peers",
    "ConnectionLimit.descriptorsAvailable",
    "DescriptorWatch.available",
  ],
  "it is called when another fault has been caught": [
    "Session.failed",
    "SessionLog.crashed",
    "Stream.crashed",
    "StreamSpans.crashed",
    "PoolTelemetry.faulted",
    "PoolTelemetry.settleThrew",
  ],
  "only other transports, dialects and detectors call it": [
    "Session.finished",
    "Session.reply",
    "Inputs.finish",
    "AssemblyAiDialect.begin",
    "AssemblyAiDialect.read",
    "AssemblyAiDialect.write",
    "AssemblyAiDialect.endsAt",
    "AssemblyAiDialect.close",
    "CallConnection.gone",
    "CallConnection.send",
    "CallConnection.pause",
    "CallConnection.resume",
    "CallConnection.close",
    "CallDialect.begin",
    "CallDialect.read",
    "CallDialect.finished",
    "CallDialect.write",
    "CallDialect.endsAt",
    "CallDialect.close",
    "CallRelay.send",
    "CallRelay.watchersChanged",
    "Calls.refusal",
    "Calls.anyOpen",
    "Calls.watch",
    "Calls.owners",
    "Calls.openCalls",
    "Calls.remoteLine",
    "Calls.lost",
    "WatchDialect.begin",
    "WatchDialect.read",
    "WatchDialect.write",
    "WatchDialect.close",
    "DeepgramDialect.begin",
    "DeepgramDialect.read",
    "DeepgramDialect.write",
    "DeepgramDialect.endsAt",
    "DeepgramDialect.close",
    "OpenAiDialect.begin",
    "OpenAiDialect.read",
    "OpenAiDialect.write",
    "OpenAiDialect.endsAt",
    "OpenAiDialect.close",
    "SpeechmaticsDialect.begin",
    "SpeechmaticsDialect.read",
    "SpeechmaticsDialect.write",
    "SpeechmaticsDialect.endsAt",
    "SpeechmaticsDialect.close",
    "FixedThreshold.push",
    "Access.principal",
    "Tokens.named",
    "VoskDialect.begin",
    "VoskDialect.read",
    "VoskDialect.write",
    "VoskDialect.endsAt",
    "VoskDialect.close",
    "WyomingDialect.begin",
    "WyomingDialect.read",
    "WyomingDialect.finished",
    "WyomingDialect.write",
    "WyomingDialect.endsAt",
    "WyomingDialect.endsAfterStream",
    "WyomingDialect.close",
    "FileDialect.begin",
    "FileDialect.read",
    "FileDialect.finished",
    "FileDialect.write",
    "FileDialect.endsAt",
    "FileDialect.close",
    "FileDialect.awaitsStream",
    "FileDialect.refuse",
    "TranscriptionDialect.begin",
    "TranscriptionDialect.read",
    "TranscriptionDialect.finished",
    "TranscriptionDialect.write",
    "TranscriptionDialect.endsAt",
    "TranscriptionDialect.close",
    "TranscriptionDialect.awaitsStream",
    "RecordedDialect.read",
    "Upload.feed",
    "Upload.send",
    "Upload.pause",
    "Upload.resume",
    "Upload.close",
    "Upload.left",
    "Upload.sweep",
    "Uploads.peers",
    "Uploads.open",
    "Uploads.refuse",
    "TcpConnection.send",
    "TcpConnection.pause",
    "TcpConnection.resume",
    "TcpConnection.countSmallMessage",
    "TcpConnection.close",
    "TcpConnection.drained",
    "TcpConnection.discard",
    "TcpConnection.finished",
    "TcpConnection.gone",
    "TcpConnection.terminate",
    "TcpConnection.sweep",
    "TcpClient.open",
    "TcpClient.receive",
    "TcpClient.drained",
    "TcpClient.finished",
    "TcpClient.closed",
    "TcpPort.peers",
    "TcpPort.pendingRequests",
    "TcpPort.sweep",
    "TcpPort.stopListening",
    "TcpPort.close",
    "GrpcConnection.send",
    "GrpcConnection.pause",
    "GrpcConnection.resume",
    "GrpcConnection.countSmallMessage",
    "GrpcConnection.close",
    "GrpcConnection.gone",
    "GrpcConnection.sweep",
    "GrpcConnection.terminate",
    "GrpcCall.begin",
    "GrpcCall.sweep",
    "GrpcCall.closed",
    "GrpcPort.peers",
    "GrpcPort.pendingRequests",
    "GrpcPort.sweep",
    "GrpcPort.useCredentials",
    "GrpcPort.stopListening",
    "GrpcPort.close",
    "GrpcListener.useCredentials",
    "GrpcListener.stopListening",
    "GrpcListener.close",
    "HealthService.addTo",
    "HealthService.check",
    "HealthService.close",
    "GrpcDialect.begin",
    "GrpcDialect.read",
    "GrpcDialect.write",
    "GrpcDialect.close",
    "SpeechDialect.begin",
    "SpeechDialect.read",
    "SpeechDialect.finished",
    "SpeechDialect.write",
    "SpeechDialect.endsAt",
    "SpeechDialect.close",
  ],
  "the C library does its work for the main thread, which calls it in tests and benchmarks only": [
    "DecodeChain.reset",
    "Arena.references",
    "Store.runLength",
    "EnergyVad.maxWindows",
    "EnergyVad.process",
    "EnergyVad.flush",
    "EnergyVad.reset",
    "EnergyDetector.push",
  ],
  "it is called when the audio memory is full, or after minutes with much audio": [
    "MemoryPlace.wait",
    "MemoryPlace.evict",
    "Memory.wait",
    "Arena.whenFree",
    "Store.shrink",
  ],
  "it is called when a client takes nothing for long, or cannot be given its results in time": [
    "Session.writable",
    "SessionEnd.giveUp",
    "Outbox.withholdFailures",
  ],
  "it is called for models whose streams stay in their workers": [
    "Answers.divide",
    "Answers.withdraw",
    "Dispatcher.workersFewer",
    "ModelCaller.closeStreams",
    "ModelCaller.forget",
  ],
  "it is called when a call takes too long, a model cannot be loaded, or no worker is left": [
    "Dispatcher.failWaiting",
    "Scheduler.expire",
    "Workers.abort",
    "Workers.hasTaken",
    "WorkerSlot.abort",
    "WorkerSlot.hasTaken",
    "PoolTelemetry.callAborted",
    "PoolTelemetry.abortIgnored",
    "Scheduler.withdrawFrom",
    "Scheduler.takeWaiting",
    "Outcomes.failUnstarted",
    "Workers.replace",
    "WorkerSlot.replace",
    "WorkerSlot.unblock",
    "WorkerSlot.terminateAbandoned",
    "CallRing.isAnswered",
    "PoolTelemetry.callTimedOut",
    "PoolTelemetry.loadFailed",
    "PoolTelemetry.workerStuck",
  ],
  "it is called for a model with options, with messages of its own, or whose state is lost or cannot be copied": [
    "Answers.skip",
    "Workers.forget",
    "WorkerSlot.forget",
    "CallRing.isQueued",
    "PoolTelemetry.stateUncloned",
    "PoolTelemetry.strangeMessage",
    "PoolTelemetry.reasonChanged",
    "PoolTelemetry.metricsRefused",
  ],
};
