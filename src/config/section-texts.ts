/** What the settings of a section are about, for documents and editors. */
export const SECTION_TEXTS: Readonly<Record<string, string>> = {
  server: "Address, processes, TLS, and who may reach the server.",
  auth: "Tokens that clients must show, and keys that servers share.",
  log: "Which records are logged, and how.",
  vad: "Voice activity detection: what is speech, and where utterances begin and end. Clients may choose others.",
  dialects: "Wire languages of other services.",
  wyoming: "A port for Home Assistant.",
  vosk: "A port for clients of vosk-server.",
  audiosocket: "A port for Asterisk's AudioSocket.",
  simple: "The pattern simple: each block on its own.",
  stateful: "The pattern stateful: block by block, with state.",
  limits: "Limits of connections, sessions, streams, memory and time.",
  "limits.admission": "Load up to which streams start.",
  model: "The default model. Keys that are not listed belong to the model itself.",
  models: "Further models, by the name that a client selects them with.",
};
