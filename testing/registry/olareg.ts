import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createProviderAuthority, issueServing, type Pair } from "../gatekeeper/certificates.ts";
import { freePorts } from "../ports.ts";
import { send, type Target } from "./target.ts";

const BINARY = fileURLToPath(new URL("../../tools/bin/olareg", import.meta.url));

/** The one account of a registry with authentication: it may do everything, nobody else may do anything. */
export const ACCOUNT = { username: "reader", password: "a password of the tests" } as const;

/** bcrypt of {@link ACCOUNT}'s password, of the lowest cost: it is checked at every request. */
const PASSWORD_HASH = "$2a$04$rpU5pprv13uWwO/7gcY.KuSZVc8fLknVfO8cbZ37NZ.NMSITVSYLO";

export interface OlaregOptions {
  /** A certificate for 127.0.0.1 and localhost of an authority made for it, or a given one. Plain HTTP unless given. */
  readonly tls?: true | (Pair & { readonly ca: string });
  /** Whether it has the referrers API. Default true; without it signatures are found by the tag schema. */
  readonly referrersApi?: boolean;
  /** How {@link ACCOUNT} has to show itself: by name and password, or by a token from `/token`. Default not at all. */
  readonly auth?: "basic" | "token";
}

/** A real registry in memory, which forgets everything when it is disposed of. */
export interface Olareg extends Target, AsyncDisposable {
  /** `127.0.0.1:5000`: the registry as images name it. */
  readonly host: string;
  readonly pid: number;
  /** As it was given out now: a registry with tokens wants a new one after five minutes. */
  authorize(): Promise<Target>;
}

/**
 * Starts olareg on loopback and waits until it answers.
 * @throws Error when the binary is not there (`make tools/bin/olareg`) or ends
 */
export async function startOlareg(options: OlaregOptions = {}): Promise<Olareg> {
  const directory = await mkdtemp(join(tmpdir(), "olareg-"));
  const pair = options.tls === true ? await issueLoopback() : options.tls;
  const args = ["serve", "--addr", "127.0.0.1", "--store-type", "mem", "--gc-frequency", "-1s"];
  args.push(`--api-referrer=${options.referrersApi ?? true}`, "--api-sparse-index");
  if (pair !== undefined) {
    await writeFile(join(directory, "cert.pem"), pair.cert);
    await writeFile(join(directory, "key.pem"), pair.key, { mode: 0o600 });
    args.push("--tls-cert", join(directory, "cert.pem"), "--tls-key", join(directory, "key.pem"));
  }
  if (options.auth !== undefined) {
    await writeFile(join(directory, "auth.yaml"), ACCESS);
    const flag = options.auth === "basic" ? "--auth-basic" : "--auth-token-opaque";
    args.push(flag, join(directory, "auth.yaml"));
  }
  const { port } = await freePorts("port");
  const host = `127.0.0.1:${port}`;
  const url = `${pair === undefined ? "http" : "https"}://${host}`;
  const child = spawn(BINARY, [...args, "--port", String(port), "--external-url", url], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (said = `${said}${text}`.slice(-2000)));
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  const bare: Target = { url, ...(pair !== undefined && { ca: pair.ca }) };
  while (!(await answers(bare))) {
    if (child.exitCode !== null) {
      await stop();
      throw new Error(`olareg ended: ${said}`);
    }
    await setTimeout(5);
  }
  const authorize = async (): Promise<Target> => {
    const authorization = await authorizationOf(bare, options.auth);
    return { ...bare, ...(authorization !== undefined && { authorization }) };
  };
  let first: Target;
  try {
    first = await authorize();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...first,
    host,
    pid: child.pid ?? 0,
    authorize,
    [Symbol.asyncDispose]: stop,
  };
}

const BASIC = `Basic ${Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString("base64")}`;

const ACCESS = `
users: { ${ACCOUNT.username}: { cred: "${PASSWORD_HASH}" } }
groups: { all: { members: [${ACCOUNT.username}] } }
acls:
  - { repo: "*", members: [all], access: ["read", "write", "delete"] }
  - { repo: "", members: [all], access: ["read"] }
`;

async function authorizationOf(
  target: Target,
  auth: OlaregOptions["auth"],
): Promise<string | undefined> {
  if (auth !== "token") return auth === "basic" ? BASIC : undefined;
  const { body } = await send(
    { ...target, authorization: BASIC },
    { path: "/token?service=olareg+registry" },
  );
  const { token } = JSON.parse(body.toString("utf8")) as { readonly token: string };
  return `Bearer ${token}`;
}

async function answers(target: Target): Promise<boolean> {
  try {
    await send(target, { path: "/v2/" });
    return true;
  } catch {
    return false;
  }
}

/** A certificate for 127.0.0.1 and localhost, and the authority made for it. */
export async function issueLoopback(): Promise<Pair & { readonly ca: string }> {
  const authority = await createProviderAuthority();
  return { ...(await issueServing(authority)), ca: authority.ca };
}
