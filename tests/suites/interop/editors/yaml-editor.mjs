// What VS Code shows in YAML files: `node yaml-editor.mjs DOCUMENTS`. DOCUMENTS is a JSON array of texts, in which a
// vertical bar is the cursor. Prints a line for each: { problems, completions }.

import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";

const [documents] = process.argv.slice(2);
const server = spawn(process.execPath, ["node_modules/yaml-language-server/bin/yaml-language-server", "--stdio"], {
  stdio: ["pipe", "pipe", "ignore"],
});
/** What waits for an answer, by its number, and for the problems of a document, by its address. */
const waiting = new Map();
let received = Buffer.alloc(0);
let calls = 0;

server.stdout.on("data", (bytes) => {
  received = Buffer.concat([received, bytes]);
  for (;;) {
    const head = /^(?:.*\r\n)*?Content-Length: (\d+)\r\n(?:.+\r\n)*\r\n/.exec(received.toString("latin1"));
    const end = (head?.[0].length ?? 0) + Number(head?.[1]);
    if (head === null || received.length < end) return;
    const message = JSON.parse(received.subarray(head[0].length, end).toString());
    received = received.subarray(end);
    receive(message);
  }
});

function receive({ id, method, params, result }) {
  if (method === "workspace/configuration") {
    const yaml = { validate: true, completion: true, schemaStore: { enable: false } };
    send({ id, result: params.items.map(({ section }) => (section === "yaml" ? yaml : {})) });
  } else if (method === "textDocument/publishDiagnostics") waiting.get(params.uri)?.(params.diagnostics);
  else if (method !== undefined && id !== undefined) send({ id, result: null });
  else if (method === undefined) waiting.get(id)?.(result);
}

function send(message) {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function answered(key) {
  return new Promise((resolve) => waiting.set(key, resolve));
}

async function call(method, params) {
  const id = ++calls;
  const answer = answered(id);
  send({ id, method, params });
  return await answer;
}

const rootUri = pathToFileURL(process.cwd()).href;
const capabilities = { workspace: { configuration: true } };
await call("initialize", { processId: process.pid, rootUri, capabilities });
send({ method: "initialized", params: {} });
for (const [index, marked] of JSON.parse(documents).entries()) {
  const uri = `${rootUri}/${index}.yaml`;
  const before = marked.slice(0, Math.max(0, marked.indexOf("|"))).split("\n");
  const position = { line: before.length - 1, character: before.at(-1).length };
  const problems = answered(uri);
  const textDocument = { uri, languageId: "yaml", version: 1, text: marked.replace("|", "") };
  send({ method: "textDocument/didOpen", params: { textDocument } });
  const found = await problems;
  const list = marked.includes("|") ? await call("textDocument/completion", { textDocument: { uri }, position }) : {};
  console.log(
    JSON.stringify({
      problems: found.map(({ message }) => message),
      completions: (list.items ?? []).map(({ label }) => label),
    }),
  );
}
server.kill();
