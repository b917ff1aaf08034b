import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../provider/start.ts";
import { assertNamespaces } from "./container.ts";
import { run } from "./run.ts";

/** The image, as far as it can be had without a container engine. */
export interface Image extends AsyncDisposable {
  /** Its file system, made by the steps that the Dockerfile takes. */
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

const CPUS: ReadonlyMap<string, string> = new Map([
  ["x64", "x64"],
  ["arm64", "arm64"],
]);

/** The JSON that an instruction of the Dockerfile has for its argument. */
async function listOf(instruction: string): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, "Dockerfile"), "utf8");
  const match = new RegExp(`^${instruction} (\\[.*\\])$`, "m").exec(text);
  return JSON.parse(match?.[1] ?? "null") as readonly string[];
}

/** Takes one step of tools/image.sh. @throws Error with what it said when it fails */
async function step(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(join(ROOT, "tools/image.sh"), args, {
    directory: ROOT,
    environment: { HOME: process.env["HOME"] ?? "" },
  });
  if (code !== 0) throw new Error(`image.sh ${args.join(" ")}: ${stderr}`);
}

/** Builds the image's file system in a folder, to be run. @throws Error when it could not be, or with what a step said when it fails */
export async function buildImage(): Promise<Image> {
  await assertNamespaces();
  const directory = await mkdtemp(join(tmpdir(), "image-"));
  const at = (name: string): string => join(directory, name);
  const remove = async (): Promise<void> => await rm(directory, { recursive: true, force: true });
  try {
    await step("production", CPUS.get(process.arch) ?? "", at("production"));
    const programs = join(ROOT, "tools/bin");
    await step("sbom", CPUS.get(process.arch) ?? "", programs, at("production"));
    await step("plugin", "", "", at("plugins"));
    await step(
      "root",
      at("production"),
      programs,
      at("plugins"),
      join(ROOT, "provider"),
      at("root"),
    );
    return {
      root: at("root"),
      entrypoint: await listOf("ENTRYPOINT"),
      command: await listOf("CMD"),
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
