import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Secret or ConfigMap as kubelet mounts it: every file is a link through `..data`, which is swapped as a whole. */
export interface Mount extends AsyncDisposable {
  readonly directory: string;
  /** Replaces all files at once, as kubelet does. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
}

/** @see pkg/volume/util/atomic_writer.go of github.com/kubernetes/kubernetes */
export async function createMount(files: Readonly<Record<string, string>>): Promise<Mount> {
  const directory = await mkdtemp(join(tmpdir(), "mount-"));
  const names = new Set<string>();
  let version = 0;
  let former: string | undefined;

  const write = async (next: Readonly<Record<string, string>>): Promise<void> => {
    version += 1;
    const data = `..${version}`;
    await mkdir(join(directory, data));
    for (const [name, text] of Object.entries(next)) {
      await writeFile(join(directory, data, name), text, { mode: 0o600 });
    }
    await symlink(data, join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    for (const name of Object.keys(next)) {
      if (names.has(name)) continue;
      names.add(name);
      await symlink(join("..data", name), join(directory, name));
    }
    if (former !== undefined) await rm(join(directory, former), { recursive: true });
    former = data;
  };

  await write(files);
  return {
    directory,
    write,
    [Symbol.asyncDispose]: async () => {
      await rm(directory, { recursive: true, force: true });
    },
  };
}
