import { MicrophoneError, openMicrophone } from "../../client/browser/microphone.ts";
import type { Source } from "./source.ts";

const WORKLET_URL = "console/recorder.js";

/**
 * Opens a microphone as a source. Throws MicrophoneError.
 * @param deviceId undefined: the one that the browser prefers
 */
export async function microphoneSource(deviceId: string | undefined): Promise<Source> {
  const microphone = await openMicrophone({ deviceId, workletUrl: WORKLET_URL }).catch((error: unknown) => {
    if (!(error instanceof MicrophoneError) || error.code !== "insecure") throw error;
    const remedy = "set server.tls_cert and server.tls_key";
    throw new MicrophoneError(error.code, `${error.message.replace(/\.$/, "")}: ${remedy}.`);
  });
  const { channels, sample_rate: sampleRate } = microphone.format;
  return {
    name: microphone.name,
    sampleRate,
    channels,
    isPaced: true,
    seconds: undefined,
    async run(take, signal) {
      const stop = () => void microphone.stop();
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) return;
      for await (const planes of microphone.planes()) await take(planes);
    },
    close: () => microphone.stop(),
  };
}
