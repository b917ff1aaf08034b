import { createPrivateKey, type X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { errorCode } from "../lib/error-code.ts";
import { certificatesOf } from "../lib/pem.ts";

/** Where the server's certificates are: absolute paths of PEM files. */
export interface TlsFiles {
  /** Serving certificate, with its intermediates behind it. */
  readonly certificate: string;
  readonly key: string;
  /** Roots of the callers' certificates, one or more. */
  readonly clientCA: string;
}

/** What the files hold, checked. */
export interface Material {
  readonly kind: "material";
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly roots: readonly X509Certificate[];
  /** When the serving certificate begins and ends to be valid. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Tells two readings of the files apart. */
  readonly bytes: Buffer;
}

/** Why the files cannot be served with. No path, no content. */
export interface BadMaterial {
  readonly kind: "bad";
  readonly problem: string;
}

/**
 * Reads the three files and checks that they can be served with: the certificate belongs to the key, and there is at
 * least one client CA. A pair that is being replaced fails here, and would break every handshake otherwise. A
 * certificate that has expired is served all the same, so that callers see why.
 */
export async function readMaterial(files: TlsFiles): Promise<Material | BadMaterial> {
  let texts: readonly [Buffer, Buffer, Buffer];
  try {
    texts = await Promise.all([
      readFile(files.certificate),
      readFile(files.key),
      readFile(files.clientCA),
    ]);
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    return bad(`a certificate, key or client CA cannot be read (${code})`);
  }
  const [cert, key, clientCA] = texts;
  const [leaf] = certificatesOf(cert.toString("latin1"));
  if (leaf === undefined) return bad("the serving certificate is not a PEM certificate");
  const roots = certificatesOf(clientCA.toString("latin1"));
  if (roots.length === 0) return bad("the client CA holds no certificate, or one that is broken");
  try {
    if (!leaf.checkPrivateKey(createPrivateKey(key))) {
      return bad("the serving certificate does not belong to the key");
    }
    createSecureContext({ cert, key, ca: roots.map((root) => root.toString()) });
  } catch {
    return bad("the key, or a certificate behind the serving certificate, is broken");
  }
  return {
    kind: "material",
    cert,
    key,
    roots,
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
    bytes: Buffer.concat(texts),
  };
}

const bad = (problem: string): BadMaterial => ({ kind: "bad", problem });
