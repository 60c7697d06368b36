/** The other end of the connection, as a session sees it. */
export interface Peer {
  send(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  /** Stops reading: the client's TCP socket fills up. */
  pause(): void;
  resume(): void;
  /** Bytes that wait to be sent. */
  readonly buffered: number;
  /** Sends what waits, then closes. Nothing is received any more. */
  close(code: number, reason: string): void;
}
