import type { ServerWebSocket } from "bun";

import type { ChannelLedger, Started, Stopped } from "../../src/protocol/events.ts";

/** Fake servers, and the events that a server sends. */

export const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" } as const;

export function startedEvent(fields: Partial<Started>): Started {
  return {
    type: "started",
    session_id: "AAAAAAAAAAAAAAAAAAAAAA",
    stream: 0,
    trace_id: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    format: FORMAT,
    model: "simulated",
    sample_rate: 16_000,
    limits: {
      max_message_bytes: 1_048_576,
      max_channels: 16,
      idle_timeout_ms: 30_000,
      session_ms: 0,
    },
    ...fields,
  };
}

export function stoppedEvent(channels: ChannelLedger[] = [], fields: Partial<Stopped> = {}): Stopped {
  return { type: "stopped", reason: "stop", channels, trailing_bytes: 0, skipped_bytes: 0, ...fields };
}

/** Returns the reason for which `promise` rejects. Rejects if it is fulfilled. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the promise was fulfilled");
}

export type Socket = ServerWebSocket<undefined>;

/** Handlers of a fake server. */
export interface ServerScript {
  text?: (socket: Socket, request: Record<string, unknown>) => void;
  audio?: (socket: Socket, bytes: Buffer) => void;
  open?: (socket: Socket) => void;
}

/** Starts a WebSocket server that runs `script`. The path /full refuses the upgrade. */
export function fakeServer(script: ServerScript): { url: string; stop: () => Promise<void> } {
  const server = Bun.serve({
    port: 0,
    fetch(request, server) {
      if (new URL(request.url).pathname === "/full") {
        const error = { type: "error", code: "overloaded", message: "no room", retry_after_ms: 2_000 };
        return Response.json(error, { status: 503 });
      }
      if (server.upgrade(request, { headers: { "Sec-WebSocket-Protocol": "streamer.v1" } })) return undefined;
      return new Response("", { status: 426 });
    },
    websocket: {
      open: (socket: Socket) => script.open?.(socket),
      message: (socket: Socket, message) => {
        if (typeof message === "string") script.text?.(socket, JSON.parse(message) as Record<string, unknown>);
        else script.audio?.(socket, message);
      },
    },
  });
  return { url: `ws://localhost:${server.port}/`, stop: () => server.stop(true) };
}

export function sendEvent(socket: Socket, event: object): void {
  socket.send(JSON.stringify(event));
}

/** A script that replies to every start and stop, then calls the handlers of `script`. */
export function replying(script: ServerScript = {}): ServerScript {
  let streams = 0;
  return {
    ...script,
    text(socket, request) {
      if (request["request"] === "start") sendEvent(socket, startedEvent({ stream: streams++ }));
      if (request["request"] === "stop") sendEvent(socket, stoppedEvent());
      script.text?.(socket, request);
    },
  };
}
