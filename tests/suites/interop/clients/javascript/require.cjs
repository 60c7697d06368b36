// From CommonJS.

void import("streamer-client").then(({ connect }) => console.log(JSON.stringify({ connect: typeof connect })));
