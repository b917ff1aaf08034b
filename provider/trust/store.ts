import { join } from "node:path";
import { isOfAwsSigner, lintCertificate, readCertificates } from "./certificates.ts";
import { createReport, quoted } from "./policy-report.ts";
import { STORE_TYPES, type StoreType } from "./policy-trusted.ts";
import type { Problem } from "./trust.ts";
import { isUnreadable, type View } from "./view.ts";

/** Limits of one store. */
const MAX_FILES = 500;
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_CERTIFICATES = 1000;

/** A named trust store, as it was at one moment. */
export interface Store {
  /** `ca:NAME`, `signingAuthority:NAME` or `tsa:NAME`. */
  readonly name: string;
  /** DER, without repetition, in the order of the bytes. Undefined when one of the problems is an error. */
  readonly certificates: readonly Uint8Array[] | undefined;
  /** Whether a certificate of AWS Signer is among them. */
  readonly isOfAws: boolean;
  readonly problems: readonly Problem[];
}

/** Where the store `type:name` stands, relative to the trust directory. */
export const pathOfStore = (type: StoreType, name: string): string =>
  join("truststore", "x509", type, name);

/** Takes a store's name apart; undefined for what names none. */
export function splitStoreName(text: string): { type: StoreType; name: string } | undefined {
  const colon = text.indexOf(":");
  const type = STORE_TYPES.find((known) => known === text.slice(0, Math.max(colon, 0)));
  return type === undefined ? undefined : { type, name: text.slice(colon + 1) };
}

/**
 * Reads every file of a named store, whatever it is called, through symbolic links. Notation fails the whole
 * run for one bad file, so one bad file is an error here.
 * @param today for the warnings about validity
 */
export async function readStore(
  view: View,
  { type, name }: { readonly type: StoreType; readonly name: string },
  today: Date,
): Promise<Store> {
  const path = pathOfStore(type, name);
  const report = createReport(path);
  const found = new Map<string, Uint8Array>();
  const names = await view.list(path);
  if (isUnreadable(names)) report.error("", names.unreadable);
  else if (names.length === 0) report.error("", "is empty");
  else if (names.length > MAX_FILES) report.error("", `has more than ${MAX_FILES} files`);
  else {
    for (const file of names) {
      const at = /^[A-Za-z0-9_.-]{1,255}$/.test(file) ? file : quoted(file);
      for (const der of await readFile(view, join(path, file), (flaw) => report.error(at, flaw))) {
        const key = Buffer.from(der).toString("base64");
        if (found.has(key)) continue;
        found.set(key, der);
        for (const { severity, message } of lintCertificate(der, type, today)) {
          report[severity](at, message);
        }
      }
      if (found.size > MAX_CERTIFICATES) {
        report.error("", `has more than ${MAX_CERTIFICATES} certificates`);
        break;
      }
    }
  }
  const certificates = [...found.values()].toSorted((a, b) => Buffer.compare(a, b));
  return {
    name: `${type}:${name}`,
    certificates: report.failed ? undefined : certificates,
    isOfAws: certificates.some(isOfAwsSigner),
    problems: report.problems(),
  };
}

async function readFile(
  view: View,
  path: string,
  refuse: (flaw: string) => void,
): Promise<readonly Uint8Array[]> {
  const bytes = await view.readFile(path, MAX_FILE_BYTES);
  if (isUnreadable(bytes)) {
    refuse(bytes.unreadable);
    return [];
  }
  const content = readCertificates(bytes);
  if (content.kind === "certificates") return content.certificates;
  refuse(content.flaw);
  return [];
}

/** The store as one PEM file, the way in which it is shown to Notation. */
export function encodeStore(certificates: readonly Uint8Array[]): string {
  return certificates.map((der) => `${BEGIN}${wrapped(der)}${END}`).join("");
}

const BEGIN = "-----BEGIN CERTIFICATE-----\n";
const END = "-----END CERTIFICATE-----\n";

const wrapped = (der: Uint8Array): string =>
  Buffer.from(der)
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n");
