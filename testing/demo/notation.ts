import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../provider/start.ts";

const run = promisify(execFile);

/** The real Notation with a home of its own: test keys, no system configuration, no credential store. */
export interface NotationHome {
  /** Makes a key with a self-signed certificate that is valid for a day. @returns the certificate as PEM */
  generateKey(name: string): Promise<string>;
  /** Signs what `reference` names and pushes the signature beside it. */
  sign(reference: string, options: SignOptions): Promise<void>;
}

export interface SignOptions {
  readonly key: string;
  readonly format?: "jws" | "cose";
  /** A Go duration such as `24h`; none unless given. */
  readonly expiry?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * @param directory a private one; holds private keys
 * @param ca PEM of the authority that signed the registry's certificate
 */
export async function createNotationHome(directory: string, ca: string): Promise<NotationHome> {
  await mkdir(directory, { recursive: true });
  const caFile = join(directory, "registry-ca.crt");
  await writeFile(caFile, ca);
  const environment = {
    HOME: directory,
    NOTATION_CONFIG: join(directory, "config"),
    NOTATION_CACHE: join(directory, "cache"),
    DOCKER_CONFIG: join(directory, "docker"),
    SSL_CERT_FILE: caFile,
  };
  const notation = async (...args: string[]): Promise<void> => {
    await run(join(ROOT, "tools/bin/notation"), args, { env: environment, timeout: 60_000 });
  };
  return {
    async generateKey(name) {
      await notation("cert", "generate-test", name);
      return await readFile(join(environment.NOTATION_CONFIG, "localkeys", `${name}.crt`), "utf8");
    },
    async sign(reference, { key, format = "jws", expiry, metadata = {} }) {
      await notation(
        "sign",
        "--force-referrers-tag=false",
        "--key",
        key,
        "--signature-format",
        format,
        ...(expiry === undefined ? [] : ["--expiry", expiry]),
        ...Object.entries(metadata).flatMap(([name, value]) => [
          "--user-metadata",
          `${name}=${value}`,
        ]),
        reference,
      );
    },
  };
}
