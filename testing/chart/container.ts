import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run, type Ran } from "./run.ts";

/** A folder of this machine in a container. */
export interface BindMount {
  readonly source: string;
  /** An absolute path in the container. */
  readonly target: string;
}

export interface ContainerOptions {
  /** The file system; it is read-only in the container. */
  readonly root: string;
  /** Absolute path of a program, and its arguments. */
  readonly command: readonly string[];
  /** The whole environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Number of user and group. Default that of the image. */
  readonly user?: number;
  /** Read-only. */
  readonly mounts?: readonly BindMount[];
  /** Memory file systems that can be written: their paths and their sizes in bytes. */
  readonly memory?: ReadonlyMap<string, number>;
}

/** A program in namespaces of its own: users, mounts and processes. The network is this machine's. */
export interface Container extends AsyncDisposable {
  /** What it has written so far, both streams together. */
  output(): string;
  /** Exit code, 128 and the number of the signal that ended it. */
  readonly ended: Promise<number>;
  /** Runs another program in it, with its user, its files and its environment, as `kubectl exec` does. */
  run(command: readonly string[]): Promise<Ran>;
  /** To process 1. Nothing when it has ended. */
  signal(name: NodeJS.Signals): void;
}

/** As the Dockerfile says. */
const IMAGE_USER = 65_532;

/** Namespaces in which the caller, whoever it is, may mount. Its number there is 0, and stands for its own outside. */
const NAMESPACES = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--fork"] as const;

/** The namespaces of a process, with its root, and without more rights than it has. */
const ENTER = "--user --mount --pid --ipc --root --wd --preserve-credentials".split(" ");

/** What a container engine would have to be allowed too; Linux says only that it does not. */
const REMEDY =
  "These tests make containers of user namespaces, which this machine does not let its users have. Allow them " +
  "(user.max_user_namespaces above 0, kernel.unprivileged_userns_clone 1, kernel.apparmor_restrict_unprivileged_userns 0), " +
  "and if this is a container itself, run it with seccomp=unconfined and systempaths=unconfined.";

/**
 * Says in words why {@link startContainer} will not work, where it will not.
 * @throws Error with what to allow on this machine
 */
export async function assertNamespaces(): Promise<void> {
  const { code, stderr } = await run("unshare", [...NAMESPACES, "--mount-proc", "true"]);
  if (code !== 0) throw new Error(`${REMEDY}\n${stderr}`);
}

/**
 * Arguments: root, user, then triples of how, source and target, then -- and the command. The last thing to become
 * read-only is the root, under everything that was mounted into it. The flags that it is mounted with are given, because
 * whoever is not root may add to them and never take one away. The second user namespace gives the caller the number of
 * the image's user and leaves it no capability; its own root could undo the mounts.
 */
const SCRIPT = `
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  if [ "$1" = memory ]; then
    mount -t tmpfs -o "nosuid,nodev,mode=0777,size=$2" tmpfs "$root$3"
  else
    mount --bind "$2" "$root$3"
    mount -o remount,bind,ro,nosuid,nodev "$root$3"
  fi
  shift 3
done
shift
mount -o remount,bind,ro,nosuid,nodev "$root"
exec setpriv --no-new-privs unshare --user --map-user="$user" --map-group="$user" --root="$root" --wd=/ "$@"
`;

/** Starts a container. Dispose of it to end it and everything that it started. Needs what {@link assertNamespaces} checks. */
export function startContainer(options: ContainerOptions): Container {
  const { root, command, environment = {}, user = IMAGE_USER, mounts = [], memory } = options;
  const sizes = memory ?? new Map<string, number>();
  for (const target of [...mounts.map((mount) => mount.target), ...sizes.keys()]) {
    // As a container engine makes what is mounted upon.
    mkdirSync(join(root, target), { recursive: true });
  }
  const triples = [
    ...[...sizes].flatMap(([target, size]) => ["memory", String(size), target]),
    ...mounts.flatMap(({ source, target }) => ["bind", source, target]),
  ];
  const child = spawn(
    "unshare",
    [...NAMESPACES, "sh", "-euc", SCRIPT, "sh", root, String(user), ...triples, "--", ...command],
    { env: { PATH: process.env["PATH"], ...environment }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = once(child, "close").then(([code]) => (code as number | null) ?? 128 + 9);
  ended.catch(() => undefined);
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const signal: Container["signal"] = (name) => {
    const first = isOver() ? undefined : firstProcess(child.pid ?? 0);
    if (first !== undefined) process.kill(first, name);
  };
  /** With process 1 the kernel ends all others. What `--kill-child` asks for is forgotten with the second namespace. */
  const kill = (): void => {
    signal("SIGKILL");
    child.kill("SIGKILL");
  };
  process.once("exit", kill);
  return {
    output: () => Buffer.concat(chunks).toString(),
    ended,
    run: async (command) => {
      const first = isOver() ? undefined : firstProcess(child.pid ?? 0);
      if (first === undefined) throw new Error("the container has ended");
      const enter = ["nsenter", ...ENTER, `--target=${first}`, "--"];
      return await run("setpriv", ["--no-new-privs", ...enter, ...command], { environment });
    },
    signal,
    [Symbol.asyncDispose]: async () => {
      process.off("exit", kill);
      kill();
      await ended;
    },
  };
}

/** Process 1 of the container as this machine numbers it: the only child of `unshare`. */
function firstProcess(parent: number): number | undefined {
  const [first] = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").split(" ");
  return first === "" || first === undefined ? undefined : Number(first);
}
