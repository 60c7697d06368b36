// What programs of the tests do with the package, on any run time: each prints one line of JSON.

import {
  connect,
  ConnectionError,
  ConnectionRefused,
  requestTicket,
  StartRefused,
  StreamLedger,
} from "streamer-client";
import { openWav } from "streamer-client/wav";

/** Streams a WAV file, and returns its finals and what the ledger says. */
export async function stream(url, source, { start = {}, realTime = false, onResume, ...options } = {}) {
  const wav = await openWav(source);
  const states = [];
  const client = await connect(
    url,
    { ...start, format: wav.format },
    {
      ...options,
      onResume: ({ state }) => states.push(state),
    },
  );
  const { sample_rate } = await client.started();
  const ledger = new StreamLedger();
  const sending = client.sendAll(wav, { realTime }).then(() => client.stop({ disconnect: true }));
  const finals = [];
  let problems = ["no ledger"];
  let channels = [];
  for await (const received of client.events) {
    const { event } = received;
    problems = ledger.add(received) ?? problems;
    if (event.type === "segment" && event.is_final !== false) finals.push(event);
    if (event.type === "stopped") channels = event.channels;
  }
  await sending;
  return { finals, problems, channels, sample_rate, states, resumptions: client.resumptions, isOpen: client.isOpen };
}

/** Returns what a failure is, as programs tell failures apart. */
export async function failure(action) {
  try {
    await action();
    return { kind: "none" };
  } catch (error) {
    const kind =
      error instanceof ConnectionRefused
        ? "ConnectionRefused"
        : error instanceof ConnectionError
          ? "ConnectionError"
          : error instanceof StartRefused
            ? "StartRefused"
            : error.name;
    return { kind, code: error.code, status: error.status, event: error.event, message: error.message };
  }
}

const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

/** Connections that fail, and the ways to show a token. */
export async function refusals({ url, locked, token, source }) {
  return {
    nobody: await failure(() => connect("ws://127.0.0.1:1/api/v1/segmented", { format: FORMAT })),
    unauthorized: await failure(() => connect(locked, { format: FORMAT })),
    noUrl: await failure(() => connect("no url", { format: FORMAT })),
    refused: await failure(async () => {
      const client = await connect(url, { format: { ...FORMAT, channels: 300 } });
      try {
        await client.started();
      } finally {
        client.close();
      }
    }),
    // A start that is refused, and whose reply nobody awaits, is an event and no unhandled rejection.
    ignored: await (async () => {
      const client = await connect(url, { format: FORMAT, model: "nobody" });
      for await (const { event } of client.events) {
        client.close();
        return event.code;
      }
      return undefined;
    })(),
    aborted: await failure(() =>
      connect(url, { format: FORMAT }, { signal: AbortSignal.abort(new Error("given up")) }),
    ),
    badTicket: await failure(() => requestTicket(locked, "wrong")),
    noAudio: await failure(async () => {
      const client = await connect(url, { format: FORMAT });
      try {
        await client.send("text");
      } finally {
        client.close();
      }
    }),
    byToken: (await stream(locked, await source(), { credentials: { token } })).problems,
    byTicket: (
      await stream(locked, await source(), {
        credentials: async () => ({ ticket: await requestTicket(locked, token) }),
      })
    ).problems,
  };
}

/** Two streams of one connection: flush, keep-alive, restart, a view of a larger memory, sending that is aborted. */
export async function conversation(url) {
  const format = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
  const client = await connect(url, { format });
  const ledger = new StreamLedger();
  const samples = new Float32Array(16_000).fill(0.25).subarray(4_000, 12_000);
  await client.send(samples);
  client.flush();
  client.keepAlive();
  client.start({ format });
  await client.send(samples.buffer);
  const endless = (function* () {
    for (;;) yield new Float32Array(1_600);
  })();
  const aborting = new AbortController();
  setTimeout(() => aborting.abort(new Error("enough")), 50);
  const aborted = await failure(() => client.sendAll(endless, { signal: aborting.signal, realTime: true }));
  client.stop({ disconnect: true });
  const seen = [];
  const problems = [];
  for await (const received of client.events) {
    if (["started", "flushed", "stopped"].includes(received.event.type)) seen.push(received.event.type);
    problems.push(...(ledger.add(received) ?? []));
  }
  return { seen, problems, aborted, sent: client.sentBytes, disposable: typeof client[Symbol.dispose] };
}
