import type { Route } from "../../src/dialects/dialect.ts";
import { GRPC, openGrpc } from "../../src/dialects/grpc/open.ts";

/** The dialect of gRPC as if it were spoken over an upgrade, with the pattern in the query. */
export const grpcRoute: Route = {
  dialect: GRPC,
  paths: ["/grpc"],
  credentials: () => ({}),
  choose: () => undefined,
  refuse: ({ code, message }) => ({ code, message }),
  open(_path, { url }, config) {
    const pattern = new URL(url).searchParams.get("pattern");
    return openGrpc(JSON.stringify({ request: "start", pattern }), config);
  },
};
