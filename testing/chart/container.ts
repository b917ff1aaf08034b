import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

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

/** A program in namespaces of its own: mounts and processes. The network is this machine's. */
export interface Container extends AsyncDisposable {
  /** What it has written so far, both streams together. */
  output(): string;
  /** Exit code, 128 and the number of the signal that ended it. */
  readonly ended: Promise<number>;
  /** To process 1. Nothing when it has ended. */
  signal(name: NodeJS.Signals): void;
}

/** As the Dockerfile says. */
const IMAGE_USER = 65_532;

/**
 * Arguments: root, user, then triples of how, source and target, then -- and the command. The last thing to become
 * read-only is the root, under everything that was mounted into it.
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
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user:$user" --groups="" "$root" "$@"
`;

/**
 * Starts a container. Dispose of it to end it and everything that it started.
 * @throws Error unless this process is root's: nobody else may change root and mount
 */
export function startContainer(options: ContainerOptions): Container {
  if (process.getuid?.() !== 0) throw new Error("containers of these tests need root");
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
    [
      "--mount",
      "--pid",
      "--ipc",
      "--fork",
      "sh",
      "-euc",
      SCRIPT,
      "sh",
      root,
      String(user),
      ...triples,
      "--",
      ...command,
    ],
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
  /** With process 1 the kernel ends all others. What `--kill-child` asks for is forgotten when the user changes. */
  const kill = (): void => {
    signal("SIGKILL");
    child.kill("SIGKILL");
  };
  process.once("exit", kill);
  return {
    output: () => Buffer.concat(chunks).toString(),
    ended,
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
