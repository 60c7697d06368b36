/** A port of a dialect cannot be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** Section of the port in the configuration, such as `wyoming`. */
  readonly section: string;
  readonly host: string;
  readonly port: number;

  constructor(place: { readonly section: string; readonly host: string; readonly port: number }, cause: unknown) {
    super(`cannot listen on ${place.host}:${place.port} (${place.section}.port)`, { cause });
    this.section = place.section;
    this.host = place.host;
    this.port = place.port;
  }
}
