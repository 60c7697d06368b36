/** Version of the wire protocol, in `GET /api/v1/info` and in the AsyncAPI document. */
export const PROTOCOL_VERSION = "1.0";

/** WebSocket subprotocol of this version. A client that offers none is accepted too. */
export const SUBPROTOCOL = "streamer.v1";
