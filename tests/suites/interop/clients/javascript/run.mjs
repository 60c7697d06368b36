// node run.mjs JSON: what the first of the arguments says, on Node.js, Bun or Deno.

import { createReadStream, readFileSync } from "node:fs";
import { argv } from "node:process";

import { conversation, failure, refusals, stream } from "./streams.mjs";

process.on("unhandledRejection", (error) => {
  console.error("unhandled rejection", error);
  process.exit(1);
});

const { action, file, url, tls, ...options } = JSON.parse(argv[2]);
const trust = tls && {
  ca: readFileSync(tls.ca, "utf8"),
  ...(tls.cert && { cert: readFileSync(tls.cert, "utf8"), key: readFileSync(tls.key, "utf8") }),
};
const source = () => createReadStream(file);
const results = {
  stream: () => stream(url, source(), { ...options, tls: trust }),
  failure: () => failure(() => stream(url, source(), { ...options, tls: trust })),
  refusals: () => refusals({ url, source, ...options }),
  conversation: () => conversation(url),
};
console.log(JSON.stringify(await results[action]()));
