import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";

/** How long the second attempt may take. */
const PROBE_MS = 2_000;
/** More of a body than this is not looked at. */
const MAX_BODY = 64 * 1024;

/**
 * Why a WebSocket could not be opened, in a sentence: asks once more by plain HTTP, since the WebSocket API hides status and
 * body of a refusal.
 */
export function refusal(addr: URL): Promise<string> {
  const url = new URL(addr);
  url.protocol = addr.protocol === "wss:" ? "https:" : "http:";
  return new Promise((resolve) => {
    const request = (url.protocol === "https:" ? secureRequest : plainRequest)(url, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))),
      },
    });
    const timer = setTimeout(() => done("no answer"), PROBE_MS);
    const done = (reason: string) => {
      clearTimeout(timer);
      request.destroy();
      resolve(reason);
    };
    request.on("error", (error) => done(reasonOf(error)));
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      done("the connection failed, though the server is there now");
    });
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body = (body + text).slice(0, MAX_BODY);
      });
      const answered = () => done(refusedWith(response.statusCode ?? 0, body));
      response.on("end", answered);
      response.on("error", answered);
    });
    request.end();
  });
}

function reasonOf(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  if (["ECONNREFUSED", "ConnectionRefused"].includes(code)) return "nothing listens there";
  if (["ENOTFOUND", "EAI_AGAIN", "ConnectionError"].includes(code)) return `the host is not known (${code})`;
  return error.message;
}

function refusedWith(status: number, body: string): string {
  try {
    const error: unknown = JSON.parse(body);
    if (typeof error === "object" && error !== null && "code" in error && "message" in error) {
      return `refused with HTTP ${status}, ${String(error.code)}: ${String(error.message)}`;
    }
  } catch {
    // Not the error object of this protocol: the status says it.
  }
  if (status === 404) return "refused with HTTP 404: there is no such route";
  return status < 300 ? "something answers there, but it does not speak WebSocket" : `refused with HTTP ${status}`;
}
