/** The day on which the texts of the page were last changed, as manual pages have it. */
export const PAGE_DATE = "2026-11-27";

export const DESCRIPTION = [
  "Streamer puts a blocking audio model behind a streaming WebSocket API. Clients stream audio and get results on the same socket while the speaker is still talking. One executable contains the server, the client and the tools for models.",
  "A model is a built-in one, a file in Python or TypeScript, or stands on an inference server. Each stream uses it in one of three patterns: simple, block by block; stateful, with the state of the call before; segmented, utterance by utterance.",
];

export const CONFIGURATION = [
  "The server reads its settings from these sources. A later one overrides an earlier one: defaults; the file that --config names, in JSON, JSON5, YAML or TOML; environment variables; flags; --set KEY=VALUE. In a file, the parts of a key that stand before and behind a dot are nested objects, and a list is an array; in the environment and in --set its texts are separated by commas. An unknown key or a value out of range is an error, and the server does not start.",
  "With several processes (server.processes), SIGHUP makes the server read its configuration again. The sections server, auth and log then keep their values until it is started again.",
];

/** Variables of the environment, and what they do. */
export const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ["STREAMER__SECTION__KEY", "A setting of the server, in any case, such as STREAMER__MODEL__DELAY=0 for model.delay."],
  ["STREAMER_TOKEN", "The token that send, watch, bench and health show to a server."],
  [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "The collector that serve and send export traces to, over HTTP. Other variables of OpenTelemetry work as specified.",
  ],
  ["NO_COLOR", "If it is not empty, nothing is coloured."],
  ["TERM", "dumb: nothing is coloured, and no line is updated in place."],
  ["NODE_EXTRA_CA_CERTS", "A file of authorities, PEM, that clients trust beside the well-known ones."],
  ["VIRTUAL_ENV", "The Python environment of models that have none beside them."],
];

export const FILES: readonly (readonly [name: string, meaning: string])[] = [
  [
    ".venv",
    "The Python environment of a model: the folder beside its file. It is used if the setting model.python is auto.",
  ],
  ["node_modules", "The packages of a model in TypeScript or JavaScript, beside its file."],
];

export const FILES_TEXT =
  "The program needs no file to run, and reads those that flags, settings and variables name. Beside the file of a model, it looks for these.";

export const SEE_ALSO =
  "An endpoint /api/v1/asyncapi.json of a running server describes its protocol, / has a console for browsers.";
