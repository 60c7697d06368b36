// The package `streamer-client`: what it exports here, on Node.js, in `wav.ts` and `browser/microphone.ts` is stable.

export type { Credentials } from "../protocol/credentials.ts";
export type { AudioData, AudioPieces } from "./audio-data.ts";
export { type Client, connect } from "./client.ts";
export type { ConnectOptions, ResumeProgress, SendAllOptions } from "./connect-options.ts";
export {
  ConnectionError,
  type ConnectionErrorCode,
  ConnectionRefused,
  HandshakeFailed,
  StartRefused,
} from "./errors.ts";
export type { ReceivedEvent } from "./event-reader.ts";
export type { ClientSocket, OpenSocket, SocketOptions } from "./socket.ts";
export { StreamLedger } from "./stream-ledger.ts";
export type { SentTotals } from "./stream-totals.ts";
export { requestTicket, TicketRefused } from "./ticket.ts";
export type { ClientTls } from "./tls.ts";
export type * from "./types/event-parts.ts";
export type * from "./types/events.ts";
export type * from "./types/start.ts";
