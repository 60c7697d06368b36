/** One element of a `Forwarded` header (RFC 7239): its parameters by name, in lower case. */
export type ForwardedElement = ReadonlyMap<string, string>;

const SPACE = /[ \t]*/y;
const NAME = /[!#$%&'*+.^_`|~0-9A-Za-z-]+=/y;
/** Characters that many proxies leave unquoted: addresses of IPv6, and ports. */
const VALUE = /[!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/y;

/**
 * Parses a `Forwarded` header, its elements in the order of the header. Empty ones are left out. Undefined: it is not
 * valid; nothing of it can be used then, since an open quote of the client may have swallowed what proxies added.
 */
export function parseForwarded(header: string): readonly ForwardedElement[] | undefined {
  const elements: Map<string, string>[] = [];
  let element = new Map<string, string>();
  let offset = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset;
    const found = pattern.exec(header)?.[0];
    offset += found?.length ?? 0;
    return found;
  };
  const endElement = (): void => {
    if (element.size > 0) elements.push(element);
    element = new Map();
  };
  for (;;) {
    take(SPACE);
    const name = take(NAME)?.slice(0, -1).toLowerCase();
    if (name !== undefined) {
      const value = take(QUOTED)?.slice(1, -1).replaceAll(/\\(.)/g, "$1") ?? take(VALUE);
      if (value === undefined || element.has(name)) return undefined;
      element.set(name, value);
    }
    take(SPACE);
    const next = header[offset++];
    if (next === undefined || next === ",") endElement();
    if (next === undefined) return elements;
    if (next !== "," && next !== ";") return undefined;
  }
}
