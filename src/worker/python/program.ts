import arrays from "./arrays.py" with { type: "text" };
import caller from "./caller.py" with { type: "text" };
import channel from "./channel.py" with { type: "text" };
import failures from "./failures.py" with { type: "text" };
import guard from "./guard.py" with { type: "text" };
import host from "./host.py" with { type: "text" };
import interfaceText from "./interface.py" with { type: "text" };
import loader from "./loader.py" with { type: "text" };
import loading from "./loading.py" with { type: "text" };
import modelFile from "./model_file.py" with { type: "text" };
import output from "./output.py" with { type: "text" };
import pinned from "./pinned.py" with { type: "text" };
import states from "./states.py" with { type: "text" };
import tasks from "./tasks.py" with { type: "text" };
import traces from "./traces.py" with { type: "text" };

/** The modules of the host, in the order of their imports. */
const MODULES: readonly [name: string, text: string][] = [
  ["channel", channel],
  ["failures", failures],
  ["guard", guard],
  ["arrays", arrays],
  ["output", output],
  ["states", states],
  ["tasks", tasks],
  ["traces", traces],
  ["model_file", modelFile],
  ["interface", interfaceText],
  ["caller", caller],
  ["pinned", pinned],
  ["loading", loading],
  ["host", host],
];

const LENGTH_DIGITS = 8;

/**
 * The program of `python -c`, which also runs in versions of Python that are too old for the rest. It is short, because
 * lists of processes show it: the host follows on descriptor 3, behind its length. The working folder must not be
 * searched for modules, and 256 is MSG_WAITALL. The socket has a duplicate of the descriptor, which no fork may keep.
 */
export const BOOTSTRAP = `import sys
if not sys.path[0]: del sys.path[0]
import socket
s = socket.fromfd(3, 1, 1)
s.setblocking(True)
p = s.recv(int(s.recv(${LENGTH_DIGITS}, 256), 16), 256)
s.close()
exec(compile(p, "streamer_host/loader.py", "exec"))`;

/** Returns what `BOOTSTRAP` reads before the first frame. */
export function hostProgram(): Uint8Array {
  // A list of strings in JSON is one in Python, too.
  const text = `${loader}\nstart(${JSON.stringify(MODULES)})\n`;
  const program = new TextEncoder().encode(text);
  const length = program.length.toString(16).padStart(LENGTH_DIGITS, "0");
  return Buffer.concat([Buffer.from(length), program]);
}
