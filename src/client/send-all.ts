import { type AudioPieces, cut } from "./audio-data.ts";
import type { SendAllOptions } from "./connect-options.ts";
import { Pace } from "./pace.ts";
import type { AudioFormat } from "./types/start.ts";

/** Sends all audio of a source, piece by piece. Rejects as `send` does, and when the source fails. */
export async function sendAll(
  source: AudioPieces,
  format: AudioFormat | undefined,
  { signal, realTime = false }: SendAllOptions,
  send: (piece: Uint8Array<ArrayBuffer>, options: { readonly signal: AbortSignal | undefined }) => Promise<void>,
): Promise<void> {
  const pace =
    realTime && format !== undefined ? new Pace({ ...format, encoding: format.encoding ?? "pcm" }) : undefined;
  for await (const piece of cut(source, pace?.pieceBytes)) {
    await pace?.wait(signal);
    await send(piece, { signal });
    pace?.sent(piece.length);
  }
}
