import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { createProviderAuthority } from "../gatekeeper/certificates.ts";

/** Who may speak to the API server. Their rights are those of Kubernetes' own roles. */
const USERS = {
  admin: ["kubernetes-admin", "system:masters"],
  "kube-controller-manager": ["system:kube-controller-manager", ""],
  "kube-scheduler": ["system:kube-scheduler", ""],
  kwok: ["kwok", "system:masters"],
} as const;

export type User = keyof typeof USERS;

/** What servers and their clients know each other by. */
export interface Credentials {
  /** PEM of the API server's authority. */
  readonly ca: string;
  readonly of: Readonly<Record<User, string>>;
}

/** Writes the files that the control plane names. One authority for both servers; etcd accepts nobody else's clients. */
export async function writeCredentials(directory: string): Promise<Credentials> {
  const authority = await createProviderAuthority();
  const loopback = { dns: ["localhost"], ip: ["127.0.0.1"] };
  const [server, etcd] = await Promise.all([
    authority.issue({
      name: "kube-apiserver",
      ...loopback,
      dns: ["localhost", "kubernetes.default"],
    }),
    authority.issue({ name: "etcd", ...loopback }),
  ]);
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const of = Object.fromEntries(
    Object.keys(USERS).map((user) => [user, randomBytes(16).toString("hex")]),
  ) as Record<User, string>;
  const users = Object.entries(USERS).map(
    ([user, [name, group]]) => `${of[user as User]},${name},${name},"${group}"\n`,
  );
  const files = {
    "ca.crt": authority.ca,
    "server.crt": server.cert,
    "server.key": server.key,
    "etcd.crt": etcd.cert,
    "etcd.key": etcd.key,
    "accounts.pub": publicKey.export({ type: "spki", format: "pem" }),
    "accounts.key": privateKey.export({ type: "sec1", format: "pem" }),
    "tokens.csv": users.join(""),
  };
  await mkdir(directory, { recursive: true });
  await Promise.all(
    Object.entries(files).map(
      async ([name, text]) => await writeFile(join(directory, name), text, { mode: 0o600 }),
    ),
  );
  return { ca: authority.ca, of };
}

/** Writes one file for each user. @returns their paths */
export async function writeKubeconfigs(
  directory: string,
  server: string,
  { ca, of }: Credentials,
): Promise<Readonly<Record<User, string>>> {
  const authority = Buffer.from(ca).toString("base64");
  const entries = await Promise.all(
    Object.entries(of).map(async ([user, token]) => {
      const path = join(directory, `${user}.kubeconfig`);
      const name = "notation";
      const text = stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name, cluster: { server, "certificate-authority-data": authority } }],
        users: [{ name: user, user: { token } }],
        contexts: [{ name, context: { cluster: name, user } }],
        "current-context": name,
      });
      await writeFile(path, text, { mode: 0o600 });
      return [user, path];
    }),
  );
  return Object.fromEntries(entries) as Record<User, string>;
}
