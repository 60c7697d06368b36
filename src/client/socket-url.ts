/** Returns the absolute address of a WebSocket. Throws a TypeError for what is no URL. */
export function socketUrl(url: string | URL): URL {
  const address = new URL(url, (globalThis as { readonly location?: { readonly href: string } }).location?.href);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  return address;
}

/** Returns an address for messages, without what may be secret: a query, a user and a password. */
export function printableUrl(url: string | URL): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
