import { mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { SIGNER_PLUGIN } from "./plugin.ts";

/**
 * Lays a program out as AWS Signer's plugin: the launcher, or AWS's own. A link, because the directory may be on a file
 * system of which nothing can be started; Notation follows it.
 * @param directory for `NOTATION_LIBEXEC`; made if it is not there
 * @param program path of the file to start
 * @throws what the file system says, `EEXIST` when there is one already
 * @see Notary Project plugin specification, "Plugin location"
 */
export function layOutPlugin(directory: string, program: string): void {
  const folder = join(directory, "plugins", SIGNER_PLUGIN);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  symlinkSync(resolve(program), join(folder, `notation-${SIGNER_PLUGIN}`));
}
