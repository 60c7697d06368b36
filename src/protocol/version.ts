/** The version of the wire protocol, as `GET /api/v1/info` and the AsyncAPI document name it. */
export const PROTOCOL_VERSION = "1.0";

/** The WebSocket subprotocol that means this version. Offering none is accepted too. */
export const SUBPROTOCOL = "streamer.v1";
