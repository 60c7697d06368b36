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
        // Home Assistant asks once, and forgets the languages of what is not installed until somebody has it ask again: a
        // model that cannot be used for a while is there all the same.
        models: models().map(({ name }) => ({
          name,
          description: name,
          attribution: ATTRIBUTION,
          installed: true,
          version: null,
          languages,
        })),
      },
    ],
  };
}
