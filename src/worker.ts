import type { WorkerPort } from "./model/serve-model.ts";
import { serveModel } from "./model/serve-model.ts";

declare const self: WorkerPort;

// Standard output belongs to the program that started this worker; what a model prints is for its author.
console.log = console.info = console.debug = console.error;
serveModel(self);
