import { withTimeout } from "../wait.ts";

/** Addresses of RFC 5737, which are nobody's. */
const SERVER = "192.0.2.1";
const TO_SERVER = "192.0.2.2";
const CLIENT = "198.51.100.1";
const TO_CLIENT = "198.51.100.2";

/** Buffers of the kernel so small that a peer that does not read is soon noticed: least, first and most bytes. */
const SMALL_BUFFERS = "4096 16384 65536";

/**
 * Three network namespaces in a row: the server's, a router's and the clients'. The router can drop every packet, as a
 * network does when a cable is pulled: nobody is told.
 */
export class PrivateNetwork implements AsyncDisposable {
  readonly serverAddress = SERVER;
  readonly #hosts: readonly [Namespace, Namespace, Namespace];

  /** Undefined, with the reason, where namespaces cannot be made. */
  static async create(): Promise<PrivateNetwork | string> {
    const hosts: Namespace[] = [];
    try {
      for (let i = 0; i < 3; i++) hosts.push(await Namespace.create());
      const network = new PrivateNetwork(hosts as [Namespace, Namespace, Namespace]);
      await network.#connect();
      return network;
    } catch (error) {
      for (const host of hosts) await host[Symbol.asyncDispose]();
      return String(error);
    }
  }

  private constructor(hosts: readonly [Namespace, Namespace, Namespace]) {
    this.#hosts = hosts;
  }

  /** The command that starts a program beside the server. */
  get underServer(): readonly string[] {
    return this.#hosts[0].under;
  }

  /** The command that starts a program beside the clients. */
  get underClient(): readonly string[] {
    return this.#hosts[2].under;
  }

  /** Drops every packet from now on. */
  async cut(): Promise<void> {
    await this.#hosts[1].run("echo 0 >/proc/sys/net/ipv4/ip_forward");
  }

  /** Passes packets on again. */
  async mend(): Promise<void> {
    await this.#hosts[1].run("echo 1 >/proc/sys/net/ipv4/ip_forward");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) await host[Symbol.asyncDispose]();
  }

  async #connect(): Promise<void> {
    const [server, router, client] = this.#hosts;
    await router.run(
      `ip link add s type veth peer name eth0 netns ${server.pid}
       ip link add c type veth peer name eth0 netns ${client.pid}
       ip addr add ${TO_SERVER}/24 dev s && ip link set s up
       ip addr add ${TO_CLIENT}/24 dev c && ip link set c up
       echo 1 >/proc/sys/net/ipv4/ip_forward`,
    );
    for (const [host, address, gateway] of [
      [server, SERVER, TO_SERVER],
      [client, CLIENT, TO_CLIENT],
    ] as const) {
      await host.run(
        `ip link set lo up
         ip addr add ${address}/24 dev eth0 && ip link set eth0 up
         ip route add default via ${gateway}
         echo ${SMALL_BUFFERS} >/proc/sys/net/ipv4/tcp_wmem
         echo ${SMALL_BUFFERS} >/proc/sys/net/ipv4/tcp_rmem`,
      );
    }
  }
}

/** A network namespace, which lasts as long as the process that it was made for. */
class Namespace implements AsyncDisposable {
  readonly under: readonly string[];
  readonly #holder: Bun.Subprocess<"pipe", "pipe", "pipe">;

  static async create(): Promise<Namespace> {
    // Ends with this process, since its input does.
    const holder = Bun.spawn(["unshare", "--net", "sh", "-c", "echo made && cat"], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { value } = await withTimeout("a network namespace", holder.stdout.getReader().read());
    if (value === undefined) throw new Error(await new Response(holder.stderr).text());
    return new Namespace(holder);
  }

  private constructor(holder: Bun.Subprocess<"pipe", "pipe", "pipe">) {
    this.#holder = holder;
    this.under = ["nsenter", "--target", String(holder.pid), "--net"];
  }

  get pid(): number {
    return this.#holder.pid;
  }

  /** Runs lines of a shell. Throws when one fails. */
  async run(lines: string): Promise<void> {
    const child = Bun.spawn([...this.under, "sh", "-ec", lines], { stdout: "ignore", stderr: "pipe" });
    if ((await child.exited) !== 0) throw new Error(await new Response(child.stderr).text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill();
    await this.#holder.exited;
  }
}
