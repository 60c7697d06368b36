import type { Socket, SocketHandler } from "bun";

import { messageOf } from "../../lib/thrown.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";

/** Most bytes that wait for the other side to read them. */
export const MAX_UNSENT_BYTES = 512 * 1024 * 1024;

type ConnectFd = (options: { readonly fd: number; readonly socket: SocketHandler }) => Promise<Socket>;
// The types of Bun 1.4.5 do not have the option.
const connect = Bun.connect as unknown as ConnectFd;

export interface ChannelEvents {
  frame(frame: Frame): void;
  /** The channel is closed, and nothing follows. Exactly once. @param problem what is wrong with what came last */
  closed(problem: string | undefined): void;
}

/**
 * One end of the connected socket between a server and a process that runs a model. Frames are sent at once, or as soon
 * as the other side reads.
 */
export class Channel {
  readonly #events: ChannelEvents;
  readonly #reader: FrameReader;
  #socket: Socket | undefined;
  /** What the kernel has not taken. */
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #problem: string | undefined;
  #ended = false;

  /** @param fd of the socket, which belongs to the channel from now on */
  constructor(fd: number, events: ChannelEvents) {
    this.#events = events;
    this.#reader = new FrameReader((frame) => {
      if (!this.#ended) events.frame(frame);
    });
    const handlers = {
      open: (socket: Socket) => this.#opened(socket),
      data: (_socket: Socket, bytes: Uint8Array) => this.#received(bytes),
      drain: () => this.#flush(),
      close: () => this.#closed(),
      error: (_socket: Socket, error: Error) => this.#fail(messageOf(error)),
    };
    connect({ fd, socket: handlers }).catch((error: unknown) => {
      this.#problem ??= messageOf(error);
      this.#closed();
    });
  }

  /** Sends a frame. Throws RangeError when it is too long. @param header JSON of an object, or an object */
  send(header: string | object, blobs?: readonly Uint8Array[]): void {
    const frame = encodeFrame(typeof header === "string" ? header : JSON.stringify(header), blobs);
    this.sendBytes(frame);
  }

  /** Sends bytes that are no frame. */
  sendBytes(bytes: Uint8Array): void {
    if (this.#ended) return;
    const written = this.#unsent.length === 0 ? this.#write(bytes) : 0;
    if (written === bytes.length) return;
    this.#unsent.push(bytes.subarray(written));
    this.#unsentBytes += bytes.length - written;
    if (this.#unsentBytes > MAX_UNSENT_BYTES) this.#fail(`${this.#unsentBytes} bytes were not read`);
  }

  /** Closes the channel when nothing waits to be read by the other side. */
  close(): void {
    this.#socket?.end();
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    this.#flush();
  }

  #received(bytes: Uint8Array): void {
    if (this.#ended) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  /** Returns how many bytes the kernel has taken. */
  #write(bytes: Uint8Array): number {
    return Math.max(0, this.#socket?.write(bytes) ?? 0);
  }

  #flush(): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const written = this.#write(next);
      this.#unsentBytes -= written;
      if (written < next.length) return void (this.#unsent[0] = next.subarray(written));
      this.#unsent.shift();
    }
  }

  #fail(problem: string): void {
    this.#problem ??= problem;
    this.#socket?.terminate();
    this.#closed();
  }

  #closed(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsent = [];
    if (!this.#reader.isComplete) this.#problem ??= "the last frame is incomplete";
    this.#events.closed(this.#problem);
  }
}
