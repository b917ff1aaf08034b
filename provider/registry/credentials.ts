import { readFile } from "node:fs/promises";
import { isRefusal, undecided, type Undecided } from "../verdict/verdict.ts";

/** What a registry or its token service knows us by. */
export interface Credentials {
  /** Without a colon. @see RFC 7617 2 */
  readonly username: string;
  readonly password: string;
}

/**
 * Says who we are when a registry asks for it; undefined is nobody. Asked whenever credentials are needed, so a
 * costly source keeps its own copy. Should not reject.
 * @param refused credentials of this source that were refused: a source with a copy gets new ones
 */
export type CredentialSource = (
  refused?: Credentials,
) => Promise<Credentials | undefined | Undecided>;

/** For registries that anyone may read. */
export const anonymous = (): CredentialSource => async () => undefined;

/** Far above any token. */
const MAX_BYTES = 65_536;

/**
 * Credentials in two files, as a mounted Secret has them. Read whenever they are needed: a rotation takes effect with
 * the next request. One line break at the end of a file is not part of it.
 */
export function fromFile(usernamePath: string, passwordPath: string): CredentialSource {
  return async () => {
    const [username, password] = await Promise.all([read(usernamePath), read(passwordPath)]);
    return check(username, password);
  };
}

async function read(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, "utf8");
    return text.length > MAX_BYTES ? undefined : text.replace(/\r?\n$/, "");
  } catch {
    return undefined;
  }
}

function check(
  username: string | undefined,
  password: string | undefined,
): Credentials | Undecided {
  if (username === undefined || password === undefined) {
    return unusable("cannot be read");
  }
  return (
    toCredentials(username, password) ??
    unusable("are empty or have characters that cannot be sent")
  );
}

/** Credentials that can be sent: neither is empty, no control characters, no colon in the name. @see RFC 7617 2 */
export function toCredentials(username: string, password: string): Credentials | undefined {
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  const control = /[\u0000-\u001f\u007f]/;
  if (username === "" || password === "" || username.includes(":")) return undefined;
  return control.test(username) || control.test(password) ? undefined : { username, password };
}

/** Undecided `REGISTRY_UNAUTHORIZED`: `the credentials for this registry <why>`. */
export const unusable = (why: string): Undecided =>
  undecided("REGISTRY_UNAUTHORIZED", `the credentials for this registry ${why}`);

/** Asks a source, and takes a rejection for what it is. */
export async function askSource(
  source: CredentialSource,
  refused: Credentials | undefined,
): Promise<Credentials | undefined | Undecided> {
  try {
    return await source(refused);
  } catch {
    return unusable("cannot be obtained");
  }
}

/** `Authorization` of the scheme Basic. */
export const basicHeader = ({ username, password }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Tells credentials from the other answers of a source. */
export const isCredentials = (answer: Credentials | undefined | Undecided): answer is Credentials =>
  answer !== undefined && !isRefusal(answer);
