import { Console } from "node:console";

import { plugin } from "bun";

import type { WorkerPort } from "./worker/serve-model.ts";
import { serveModel } from "./worker/serve-model.ts";

declare const self: WorkerPort;

// Standard output belongs to the program that started this worker; what a model prints is for its author.
Object.assign(console, new Console(process.stderr, process.stderr));
process.stdout.write = process.stderr.write.bind(process.stderr);
// Types only, so that nothing needs to be installed for it; a compiler may leave the import in place nevertheless.
plugin({
  name: "streamer/model",
  setup: (build) => void build.module("streamer/model", () => ({ loader: "object", exports: {} })),
});
serveModel(self);
