import { readFile } from "node:fs/promises";
import { z } from "zod";
import { JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import type { Undecided } from "../verdict/verdict.ts";
import { toCredentials, unusable, type Credentials, type CredentialSource } from "./credentials.ts";

const MAX_BYTES = 1024 * 1024;

const Login = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});

/** Docker's `config.json`: what it does not know about credentials is not our matter. */
const DockerConfig = z.object({
  auths: z.record(z.string(), Login).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

type DockerConfig = z.infer<typeof DockerConfig>;

/**
 * The login for one registry in a Docker `config.json`, as `kubectl create secret docker-registry` writes it. Read
 * whenever it is needed. Helper programs and identity tokens are not used: they are an undecided with its reason.
 * @param host as images name the registry, `host[:port]`
 */
export function fromDockerConfig(path: string, host: string): CredentialSource {
  return async () => {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch {
      return unusable("cannot be read");
    }
    if (bytes.length > MAX_BYTES) return unusable("are in a file that is too large");
    const value = parseStrictJson(bytes);
    const parsed = value instanceof JsonProblem ? undefined : DockerConfig.safeParse(value);
    return parsed?.success ? loginOf(parsed.data, host) : unusable("are not in Docker's format");
  };
}

function loginOf(config: DockerConfig, host: string): Credentials | undefined | Undecided {
  const logins = new Map(Object.entries(config.auths ?? {}));
  const helpers = new Map(Object.entries(config.credHelpers ?? {}));
  const name = namesOf(host).find((candidate) => logins.has(candidate) || helpers.has(candidate));
  if (name !== undefined && helpers.has(name)) return unusable("are in a helper, which is not run");
  const login = name === undefined ? undefined : logins.get(name);
  // Docker leaves an empty login beside the name of the store that holds the real one.
  if (login === undefined || Object.values(login).every((member) => !member)) {
    return config.credsStore === undefined
      ? undefined
      : unusable("are in a credential store, which is not run");
  }
  if (login.identitytoken || login.registrytoken) {
    return unusable("are a token of a login session, not a name and a password");
  }
  const [username, password] = login.auth ? decode(login.auth) : [login.username, login.password];
  return toCredentials(username ?? "", password ?? "") ?? unusable("are empty or malformed");
}

/** `auth` is base64 of `name:password`; the password may have colons. */
function decode(auth: string): readonly [username: string, password: string] {
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
}

/** Spellings under which Docker keeps a login. Docker Hub's is the address of an interface that is long gone. */
function namesOf(host: string): readonly string[] {
  const hub = ["https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"];
  return [host, `https://${host}`, `https://${host}/`, ...(host === "docker.io" ? hub : [])];
}
