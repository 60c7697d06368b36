import { bytes, hertz, ms, type ObjectText, seconds } from "../../protocol/texts/field-text.ts";

/** What the body of `info` means, by the names of its schemas. */
export const INFO_TEXTS = {
  Info: {
    description: "What the server is, what it can do, and what it does at the moment.",
    fields: {
      version: "Version of the server.",
      protocol_version: "Version of the wire protocol.",
      docs: "Path of the API reference, a page for people.",
      patterns: "Names of the patterns, which are the last parts of their paths.",
      dialects: "The wire languages that are on.",
      models: "The models, the default first.",
      loading: "The models of which workers are being loaded. Absent: there are none.",
      features: "The additions to version 1 of the protocol that this server has, as in `started`.",
      sessions: "Open sessions.",
      processes: "The processes of the server, if there are several (`server.processes`); at `server.admin`.",
    },
  },
  Dialect: {
    description: "A wire language.",
    fields: {
      name: "Its name.",
      paths: "Paths of its WebSockets.",
      files: "Paths to which clients send files by POST.",
      port: "TCP port of its own.",
      urls: "What its clients are given as the address of the server, by the name that this request has used.",
      file_urls: "The same for files.",
    },
  },
  Model: {
    description: "A model.",
    fields: {
      name: "The name for `model` in a start.",
      own_name: "The name that the model itself exports.",
      sample_rate: hertz("Streams are resampled to it."),
      patterns: "The patterns that it can serve.",
      stateful: "It keeps state, and works on `/api/v1/stateful` only.",
      pinned: "It keeps each stream in one worker, and works on `/api/v1/stateful` and `/api/v1/segmented`.",
      step_ms: ms("Of a pinned model: audio in one step on `/api/v1/segmented`."),
      options: "Names of the options that it takes. Absent: all are passed on.",
      max_batch: "Most pieces of audio in one call of the model.",
      generation: "1, and one more with each reload. New streams get the newest one.",
      unavailable: "Why a start is refused with `model_unavailable` at the moment. Absent: it is not.",
    },
  },
  ModelLoad: {
    description: "The load of a model: at the start of the server, by a reload, or of workers that are replaced.",
    fields: {
      model: "Its name or, before the first worker has loaded it, that of its file.",
      workers_ready: "Workers that are ready.",
      workers: "All workers.",
      seconds: seconds("Time since the begin of the load."),
    },
  },
  AudioFormats: {
    description: "The audio that the server takes.",
    fields: { encodings: "Names of the sample formats." },
  },
  SampleRates: {
    description: "The sample rates that the server takes.",
    fields: { min: hertz("The least."), max: hertz("The greatest.") },
  },
  ArenaSlabs: {
    description: "The memory for buffered audio, in slabs.",
    fields: { used_slabs: "Slabs in use.", slabs: "All slabs." },
  },
  LiveNumbers: {
    description: "Current numbers. Without those of processes that have reported none.",
    fields: {
      uptime_seconds: seconds("Time since the start."),
      sessions: "Open sessions.",
      streams: "Open streams.",
      capacity: "Estimated number of real-time streams that the scarcest resource carries.",
      overloaded: "Streams that were refused or ended since the start, because the server had no room for them.",
      channels: "Channels of the open streams.",
      workers: "Workers of all models.",
      audio_seconds: seconds("Audio that the models have processed since the start, of all channels."),
      inference_seconds: seconds("Time that the models took for it."),
    },
  },
  Queue: {
    description: "Calls of the models.",
    fields: {
      finals: "Calls for final results that wait for a worker.",
      interims: "Calls for interim results that wait for a worker.",
      running: "Workers that run a call.",
    },
  },
  AudioMemory: {
    description: "The memory for buffered audio.",
    fields: {
      used_bytes: bytes("Memory that holds audio."),
      resident_bytes: bytes("Memory that the operating system has given for it."),
      bytes: bytes("Most memory for audio."),
    },
  },
  ServerProcess: {
    description: "One process of the server.",
    fields: {
      process: "Its number.",
      pid: "Its number for the operating system.",
      state: "What it does.",
      sessions: "Its open sessions.",
      streams: "Its open streams.",
    },
  },
} as const satisfies Record<string, ObjectText>;
