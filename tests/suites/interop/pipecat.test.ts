// Pipecat, unmodified, with its services for other services. It is large: `STREAMER_CLIENTS=all` installs and runs it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { encode, speech } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { clients, linesOf, pipecat } from "../../support/interop-clients.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

const isWanted = process.env["STREAMER_CLIENTS"] === "all";
if (!isWanted) reportMissing("Pipecat: STREAMER_CLIENTS=all installs (0.5 GB) and runs it");
const python = isWanted ? await pipecat() : undefined;
const testPipecat = testWith(python);

/** Far longer than a conversation takes, so that a busy machine does not fail it. */
const PATIENCE_MS = 300_000;
const SERVICES = ["deepgram", "openai", "openai-turns", "assemblyai"];
/** Two utterances, and where they are, in seconds. */
const SPANS = [
  [0.8, 2],
  [2.8, 3.8],
];

/** A frame that has come by. */
interface Seen {
  readonly service: string;
  readonly event: string;
  readonly text?: string;
  readonly finalized?: boolean;
}

const folder = await mkdtemp(join(tmpdir(), "streamer-pipecat-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const audio = join(folder, "audio.raw");
await writeFile(audio, encode("s16", speech([1.2, 1])));

async function converse(server: InProcessServer, services: readonly string[]): Promise<Seen[]> {
  const command = [join(python ?? "", "bin", "python"), join(clients, "pipecat_client.py"), new URL(server.url).host];
  return await linesOf<Seen>([...command, audio, JSON.stringify(SPANS), JSON.stringify(services)], { mayFail: false });
}

describe("Pipecat", () => {
  let server: InProcessServer;
  let seen: Seen[] = [];
  beforeAll(async () => {
    if (python === undefined) return;
    server = await InProcessServer.start({ "model.name": join(import.meta.dir, "../../support/models/words.ts") });
    seen = await converse(server, SERVICES);
  }, PATIENCE_MS);
  afterAll(() => server?.[Symbol.asyncDispose]());

  /** The frames of a service, without those that repeat the one before. */
  const framesOf = (service: string): string[] => {
    const events = seen.filter((each) => each.service === service).map(({ event }) => event);
    return events.filter((event, index) => event !== events[index - 1]);
  };
  const transcriptsOf = (service: string): Seen[] => {
    return seen.filter((each) => each.service === service && each.event === "transcript");
  };

  testPipecat.each(SERVICES)("gets a transcript of each utterance from its service %s, and no error", (service) => {
    expect(transcriptsOf(service).map(({ text }) => text)).toEqual(["turn left here", "turn left here"]);
    expect(framesOf(service)).not.toContain("error");
    expect(framesOf(service).at(-1)).toBe("ended");
  });

  testPipecat.each(["deepgram", "assemblyai"])(
    "ends turns by the answer to its Finalize or ForceEndpoint (%s), not by a time-out",
    (service) => {
      expect(transcriptsOf(service).map(({ finalized }) => finalized)).toEqual([true, true]);
      const turn = ["interim", "transcript", "turn"];
      expect(framesOf(service)).toEqual([...turn, ...turn, "ended"]);
    },
  );

  testPipecat("gets the begin and the end of speech where the server detects it", () => {
    const speech = framesOf("openai-turns").filter((event) => event === "started" || event === "stopped");
    expect(speech).toEqual(["started", "stopped", "started", "stopped"]);
  });

  testPipecat(
    "ends the session of its service for AssemblyAI well; that for Deepgram does not wait for the end",
    () => {
      const { session } = server.logged("session_opened").find(({ dialect }) => dialect === "assemblyai") ?? {};
      expect(server.logged("session_closed")).toContainEqual(expect.objectContaining({ session, code: 1000 }));
      expect(server.logged("stream_stopped")).toContainEqual(expect.objectContaining({ session, reason: "stop" }));
    },
  );

  testPipecat(
    "reports a key that is refused, and gives up",
    async () => {
      const file = join(folder, "tokens");
      const hash = hashToken(newToken()).toString("hex");
      await writeFile(file, `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`, { mode: 0o600 });
      await using guarded = await InProcessServer.start({ "auth.tokens": file });
      const refused = await converse(guarded, ["deepgram", "openai", "assemblyai"]);
      for (const service of ["deepgram", "openai", "assemblyai"]) {
        expect(refused).toContainEqual(expect.objectContaining({ service, event: "error" }));
      }
      expect(refused.filter(({ event }) => event === "transcript")).toEqual([]);
    },
    PATIENCE_MS,
  );
});

test("STREAMER_CLIENTS has a value that is known", () => {
  expect(process.env["STREAMER_CLIENTS"] ?? "").toBeOneOf(["", "all"]);
});
