import type { Example } from "../terminal/help.ts";

/** What the help of a command and the manual page have beside its description and its flags. */
export interface Manual {
  /** Paragraphs about the command, for the manual page. */
  readonly details: readonly string[];
  readonly examples: readonly Example[];
  /** What the exit codes of the command mean. */
  readonly exits: readonly Exit[];
}

export interface Exit {
  /** A number, or `128+N` for signals. */
  readonly code: string;
  readonly meaning: string;
}

/** Exit codes of commands without codes of their own. */
export const COMMON_EXITS: readonly Exit[] = [
  { code: "0", meaning: "success" },
  { code: "1", meaning: "the command failed, or its output cannot be written" },
  { code: "2", meaning: "the command line, or a file that it names, is not valid" },
];

/** Returns the manual of a command by its command line without the program, such as `model check`. */
export function manualOf(command: string): Manual {
  return (Object.hasOwn(MANUALS, command) ? MANUALS[command] : undefined) ?? { details: [], examples: [], exits: [] };
}

const MANUALS: Readonly<Record<string, Manual>> = {
  serve: {
    details: [
      "Prints the address when the models are loaded and warm. SIGTERM, SIGQUIT, Ctrl-C or the end of its terminal shuts the server down gracefully: it refuses new connections, and running streams go on until their clients stop them, for at most limits.drain_timeout_ms. A second signal ends it at once.",
      "SIGHUP, without a controlling terminal, loads the models again; with several processes also the configuration.",
    ],
    examples: [
      { line: "streamer serve", purpose: "Serve the simulated model at port 8080 of this machine." },
      { line: "streamer serve --model ./my_model.py --port 9000", purpose: "Serve a model in Python." },
      {
        line: "streamer serve --config streamer.yaml --set limits.max_sessions=200",
        purpose: "Read a configuration file, and set one key.",
      },
      {
        line: "streamer serve --config streamer.yaml --print-config",
        purpose: "Check a configuration, and print every setting with its source.",
      },
    ],
    exits: [
      { code: "0", meaning: "shut down gracefully" },
      {
        code: "1",
        meaning: "the address cannot be used, the C library cannot be loaded, or a model does not return",
      },
      { code: "2", meaning: "the command line, the configuration or a model is not valid" },
    ],
  },
  send: {
    details: [
      "Prints each result as it comes, then latencies and the ledger, the server's account of every sample. Ctrl-C, SIGTERM and SIGHUP end the sending; the results of what was sent still come. A second signal ends the command at once. If the connection is lost, and the server can resume streams, the command goes on.",
    ],
    examples: [
      { line: "streamer send -i recording.wav", purpose: "Send a file as fast as the server takes it." },
      {
        line: "streamer send -i recording.wav --real-time --interim-results",
        purpose: "Send it as a live microphone would, and print results while people speak.",
      },
      {
        line: "streamer send --microphone --interim-results",
        purpose: "Send the microphone until Ctrl-C, with the recorder that the machine has.",
      },
      {
        line: "streamer send -i recording.wav --format json --set vad.min_silence_ms=300",
        purpose: "Print events as JSON, one per line, and end utterances sooner.",
      },
    ],
    exits: [
      { code: "0", meaning: "success: the ledger adds up for everything that was sent" },
      { code: "1", meaning: "the server reported errors, or results are missing, late or cannot be written" },
      { code: "2", meaning: "the command line, the file or the microphone cannot be used" },
      {
        code: "3",
        meaning:
          "no server answers at the address, it refuses the connection, or it starts no stream in time or closes before",
      },
      {
        code: "128+N",
        meaning: "ended by signal N: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP",
      },
    ],
  },
  watch: {
    details: ["Ends when the server does, or with Ctrl-C."],
    examples: [
      { line: "streamer watch", purpose: "Print the results of all phone calls that you may see." },
      { line: "streamer watch --call CA0a1b2c --format json", purpose: "Print the messages of one call as JSON." },
    ],
    exits: [],
  },
  health: {
    details: ["Prints healthy or ready, or the reason why the server is not."],
    examples: [
      { line: "streamer health --addr localhost:9000", purpose: "Check that a server is alive." },
      { line: "streamer health --ready", purpose: "Check that the server on this machine accepts streams." },
      { line: "streamer health --ready --wait 60", purpose: "Wait for that, while its models are being loaded." },
    ],
    exits: [
      { code: "0", meaning: "the server works; with --ready, it accepts streams" },
      { code: "1", meaning: "it does not, or does not answer within 5 s, also at the end of --wait" },
      { code: "2", meaning: "the command line is not valid" },
    ],
  },
  doctor: {
    details: [
      "Takes the configuration as serve does, and examines what a server would need: limits of the system and of its control group, ports, certificates, tokens, the collector of traces, and each model, which it loads and calls. Each finding is ok, a note, a warning or a failure, with what to do about it. It changes nothing, and where a server runs at the address, its models are not loaded a second time.",
    ],
    examples: [
      { line: "streamer doctor --config streamer.yaml", purpose: "Examine the machine for a configuration." },
      {
        line: "streamer doctor --model ./my_model.py --skip programs --format json",
        purpose: "Print the findings as JSON, without those about programs of others.",
      },
    ],
    exits: [
      { code: "0", meaning: "no failure; there may be notes and warnings" },
      { code: "1", meaning: "at least one failure: also a configuration that is not valid" },
      { code: "2", meaning: "the command line is not valid" },
    ],
  },
  bench: {
    details: [
      "Opens paced streams of real speech to any server that speaks the protocol, and checks the ledger of each. --p50, --p99, --max-refused and --max-errors make it a gate: the exit code is 1 if a threshold is exceeded.",
    ],
    examples: [
      { line: "streamer bench --streams 200 --seconds 60", purpose: "Measure latencies with 200 streams." },
      {
        line: "streamer bench --find-capacity --p99 100ms",
        purpose: "Search the highest number of streams with a 99th percentile of 100 ms.",
      },
    ],
    exits: [
      { code: "0", meaning: "all thresholds are kept; with --find-capacity, at least one stream is" },
      { code: "1", meaning: "a threshold is exceeded, or audio is missing" },
      { code: "2", meaning: "the command line or the file cannot be used" },
    ],
  },
  "token new": {
    details: [
      "Prints the token, 256 random bits, which is stored nowhere, and the line for the file that the setting auth.tokens names, which has the hash of the token only.",
    ],
    examples: [
      {
        line: "streamer token new call-center --file tokens.txt --sessions 100",
        purpose: "Append the line of a client with at most 100 sessions to a file.",
      },
    ],
    exits: [],
  },
  "model init": {
    details: ["Writes the types of the interface beside the model. Never overwrites a model."],
    examples: [
      { line: "streamer model init my-model", purpose: "Create my-model.ts." },
      {
        line: "streamer model init --python --pinned my-recogniser",
        purpose: "Create a streaming recogniser in Python.",
      },
    ],
    exits: [],
  },
  "model check": {
    details: ["Runs a model as the server would, and reports errors, speed and determinism."],
    examples: [
      { line: "streamer model check ./my-model.ts", purpose: "Check a model file." },
      {
        line: "streamer model check simulated --set delay=0.1",
        purpose: "Check a built-in model with a setting.",
      },
    ],
    exits: [
      { code: "0", meaning: "no FAIL in the report" },
      { code: "1", meaning: "at least one FAIL" },
      { code: "2", meaning: "the check cannot start" },
    ],
  },
  completion: {
    details: [
      "The script asks the program itself when the Tab key is pressed, so that it fits every version. It completes commands, flags, settings and their values, and files.",
    ],
    examples: [
      { line: "source <(streamer completion bash)", purpose: "bash, this shell only. The same for zsh." },
      {
        line: "mkdir -p ~/.local/share/bash-completion/completions\nstreamer completion bash > ~/.local/share/bash-completion/completions/streamer",
        purpose: "bash with the package bash-completion, from the next shell on.",
      },
      {
        line: "streamer completion bash > ~/.streamer-completion\necho '. ~/.streamer-completion' >> ~/.bashrc",
        purpose: "bash without that package, from the next shell on.",
      },
      {
        line: "mkdir -p ~/.zsh/completions\nstreamer completion zsh > ~/.zsh/completions/_streamer",
        purpose:
          "zsh, from the next shell on, if ~/.zshrc has the line: fpath=(~/.zsh/completions $fpath); autoload -Uz compinit; compinit",
      },
      {
        line: "mkdir -p ~/.config/fish/completions\nstreamer completion fish > ~/.config/fish/completions/streamer.fish",
        purpose: "fish, at once.",
      },
    ],
    exits: [],
  },
  man: {
    details: ["The page is for the program man: roff with the macros man(7)."],
    examples: [
      { line: "streamer man | man -l -", purpose: "Read the page." },
      {
        line: "mkdir -p ~/.local/share/man/man1\nstreamer man > ~/.local/share/man/man1/streamer.1",
        purpose: "Install it for one user: man streamer shows it if ~/.local/bin is on the PATH.",
      },
    ],
    exits: [],
  },
  "config schema": {
    details: [
      "The schema has every setting with its meaning, unit, range, choices and default. Editors use it to complete and check configuration files in JSON, YAML and TOML.",
    ],
    examples: [
      { line: "streamer config schema > streamer.schema.json", purpose: "Write the schema beside a configuration." },
    ],
    exits: [],
  },
};
