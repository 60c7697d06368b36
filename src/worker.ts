import { Console } from "node:console";
import { Writable } from "node:stream";

import { LineOutput } from "./telemetry/log/line-output.ts";
import { resolveModelTypes } from "./worker/model-types.ts";
import type { WorkerPort } from "./worker/serve-model.ts";
import { serveModel } from "./worker/serve-model.ts";

declare const self: WorkerPort;

// Standard output belongs to the program that started this worker. Output of the model goes to standard error, and does
// not wait for its reader: a call must not take longer because a terminal was stopped.
const output = new LineOutput(process.stderr, 2, {
  recovered: (lines) => output.write(`${lines} lines of the model's output were dropped\n`),
});
const stream = new Writable({
  decodeStrings: false,
  write: (chunk: unknown, _, done) => {
    output.write(String(chunk));
    done();
  },
});
Object.assign(console, new Console(stream, stream));
process.stdout.write = process.stderr.write = stream.write.bind(stream);
resolveModelTypes();
serveModel(self);
