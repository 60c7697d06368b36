import { Console } from "node:console";

import { plugin } from "bun";

import type { WorkerPort } from "./worker/serve-model.ts";
import { serveModel } from "./worker/serve-model.ts";

declare const self: WorkerPort;

// Standard output belongs to the program that started this worker. Output of the model goes to standard error.
Object.assign(console, new Console(process.stderr, process.stderr));
process.stdout.write = process.stderr.write.bind(process.stderr);
// A model file may import `streamer/model`, which has types only, and a compiler may keep that import. Here it resolves
// to an empty module, so that nothing needs to be installed.
plugin({
  name: "streamer/model",
  setup: (build) => void build.module("streamer/model", () => ({ loader: "object", exports: {} })),
});
serveModel(self);
