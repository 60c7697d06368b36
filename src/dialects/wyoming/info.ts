import type { Fields } from "../../protocol/message-fields.ts";
import type { PortHost } from "../port.ts";

const ATTRIBUTION = { name: "Streamer", url: "" } as const;

/** Returns the data of `info`, which answers `describe`: one program that recognises speech, and its models. */
export function describeProgram({ config, version, models }: PortHost): Fields {
  const { languages } = config.wyoming;
  return {
    asr: [
      {
        name: "streamer",
        description: "Streamer",
        attribution: ATTRIBUTION,
        installed: true,
        version,
        supports_transcript_streaming: true,
        // The client decides when a command ends.
        requires_external_vad: true,
        models: models().map(({ name, unavailable }) => ({
          name,
          description: name,
          attribution: ATTRIBUTION,
          installed: unavailable === undefined,
          version: null,
          languages,
        })),
      },
    ],
  };
}
