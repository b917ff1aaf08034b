import { createPrivateKey, type X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { errorCode } from "../lib/error-code.ts";
import type { MaterialSource, PemTexts } from "../lib/material-source.ts";
import { certificatesOf } from "../lib/pem.ts";
import { validityOf } from "../lib/validity.ts";

/** What a server can be made of, checked. */
export interface Material {
  readonly kind: "material";
  readonly cert: string;
  readonly key: string;
  readonly roots: readonly X509Certificate[];
  /** When the serving certificate begins and ends to be valid. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Tells two readings apart. */
  readonly text: string;
}

/** Why it cannot be served with. No path, no content. */
export interface BadMaterial {
  readonly kind: "bad";
  readonly problem: string;
}

/**
 * Reads certificates and checks that they can be served with: the certificate belongs to the key, and there is at
 * least one client CA. A pair that is being replaced fails here, and would break every handshake otherwise. A
 * certificate that has expired is served all the same, so that callers see why.
 */
export async function readMaterial(source: MaterialSource): Promise<Material | BadMaterial> {
  let texts: PemTexts;
  try {
    texts = await source.read();
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    return bad(`a certificate, key or client CA cannot be read (${code})`);
  }
  const { certificate: cert, key, clientCA } = texts;
  const [leaf] = certificatesOf(cert);
  if (leaf === undefined) return bad("the serving certificate is not a PEM certificate");
  const validity = validityOf(leaf);
  if (validity === undefined) return bad("the serving certificate does not say when it is valid");
  const roots = certificatesOf(clientCA);
  if (roots.length === 0 || roots.some((root) => validityOf(root) === undefined)) {
    return bad("the client CA holds no certificate, or one that is broken");
  }
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
    notBefore: new Date(validity.begins),
    notAfter: new Date(validity.ends),
    text: [cert, key, clientCA].join("\0"),
  };
}

const bad = (problem: string): BadMaterial => ({ kind: "bad", problem });
