import { Console } from "node:console";

import type { WorkerPort } from "./model/serve-model.ts";
import { serveModel } from "./model/serve-model.ts";

declare const self: WorkerPort;

// Standard output belongs to the program that started this worker; what a model prints is for its author.
Object.assign(console, new Console(process.stderr, process.stderr));
process.stdout.write = process.stderr.write.bind(process.stderr);
serveModel(self);
