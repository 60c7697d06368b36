/**
 * Returns the request with a complete URL; undefined: its Host header, or its target, cannot be that of one. Health
 * checks of proxies use HTTP/1.0 without a Host header; Bun 1.4.5 then passes only the path. It does so, too, for some
 * of the Host headers that are no host name, and puts others into the URL.
 */
export function withCompleteUrl(request: Request): Request | undefined {
  const host = request.headers.get("host");
  // Not resolved as a relative URL: `//x/y` would be the path `/y` of a host `x`.
  if (host === null) return request.url.startsWith("/") ? atLocalhost(request) : complete(request);
  // Several Host headers are one text with commas and spaces.
  return URL.canParse(`http://${host}`) ? complete(request) : undefined;
}

function complete(request: Request): Request | undefined {
  return URL.canParse(request.url) ? request : undefined;
}

function atLocalhost(request: Request): Request {
  return new Request(`http://localhost${request.url}`, request);
}
