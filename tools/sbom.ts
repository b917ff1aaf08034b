// Writes what a release consists of as CycloneDX: the npm packages that run in production, Node among them, and the Go modules that the
// shipped programs are built of, as the programs themselves say. The same checkout and programs give the same bytes.
//
//   make sbom                           to standard output
//   make sbom ARGS=FILE                 into a file
//   --programs=FOLDER --cpu=x64|arm64   of an image: the programs in another folder, and Node for this processor alone
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { readBuildInfo } from "./build-info.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Programs beside Node that the image has. */
const PROGRAMS = ["notation", "reaper", "signer-launcher"];

/** What we add to; CycloneDX has more members, which npm fills. */
interface Component {
  readonly "bom-ref": string;
  readonly type: "application" | "library";
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
}

interface Bom {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const run = promisify(execFile);

const {
  values: { programs: folder, cpu },
  positionals: [file],
} = parseArgs({
  options: {
    programs: { type: "string", default: `${ROOT}tools/bin` },
    cpu: { type: "string" },
  },
  allowPositionals: true,
});

interface Locked {
  /** Where it is not that of its folder. */
  readonly name?: string;
  readonly version: string;
  readonly dev?: boolean;
}

/**
 * CycloneDX 1.5 of the production packages, from the lock file alone. What npm itself leaves out for `--omit=dev` is more than that:
 * whatever a package for development wants as well (npm 11.19).
 */
async function npmBom(): Promise<Bom & Readonly<Record<string, unknown>>> {
  const flags = ["--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
  const options = { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await run("npm", ["sbom", ...flags], options);
  const bom = JSON.parse(stdout) as Bom;
  const { packages } = JSON.parse(await readFile(`${ROOT}package-lock.json`, "utf8")) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const production = new Set(
    Object.entries(packages)
      .filter(([path, { dev = false }]) => !dev && !isOfOtherCpu(path))
      .map(
        ([path, { name = path.split("node_modules/").at(-1), version }]) => `${name}@${version}`,
      ),
  );
  return {
    ...bom,
    components: bom.components.filter((component) => production.has(component["bom-ref"])),
    dependencies: bom.dependencies
      .filter(({ ref }) => production.has(ref))
      .map(({ ref, dependsOn }) => ({
        ref,
        dependsOn: dependsOn.filter((other) => production.has(other)),
      })),
  };
}

/** Node for the other processor, which an image has not. */
const isOfOtherCpu = (path: string): boolean =>
  cpu !== undefined &&
  path.startsWith("node_modules/node-linux-") &&
  path !== `node_modules/node-linux-${cpu}`;

interface Program {
  readonly component: Component;
  readonly modules: readonly Component[];
}

/**
 * What a program says that it is built of.
 * @param version of the program where it is ours
 * @see `go version -m`, and the package-url specification for `pkg:golang`
 */
async function readProgram(name: string, version: string): Promise<Program> {
  const { go, lines } = await readBuildInfo(`${folder}/${name}`);
  const modules = [moduleOf("stdlib", `v${go}`)];
  let main = { "bom-ref": `${name}@${version}`, type: "application", name, version } as Component;
  for (const [kind, path = "", at = ""] of lines) {
    // The hash is of Go's own kind, which CycloneDX does not know. A replacement follows the module that it replaces.
    if (kind === "mod" && /^v\d/.test(at)) main = { ...moduleOf(path, at), type: "application" };
    if (kind === "=>") modules.pop();
    if (kind === "dep" || kind === "=>") modules.push(moduleOf(path, at));
  }
  return { component: main, modules };
}

function moduleOf(name: string, version: string): Component {
  const purl = `pkg:golang/${name}@${version}`;
  return { "bom-ref": purl, type: "library", name, version, purl };
}

const { version } = JSON.parse(await readFile(`${ROOT}package.json`, "utf8")) as {
  readonly version: string;
};
const programs = await Promise.all(PROGRAMS.map(async (name) => await readProgram(name, version)));
// A number that is another each time and the time of day say nothing of what is in the release.
const { serialNumber: _, ...bom } = await npmBom();
const { timestamp: __, component, ...metadata } = bom.metadata;
const root = component as Component;
const modules = new Map(
  programs.flatMap(({ modules }) => modules).map((each) => [each["bom-ref"], each]),
);
const whole = {
  ...bom,
  metadata: { ...metadata, component: { ...root, name: "notation-gatekeeper-provider" } },
  components: [...bom.components, ...programs.map((each) => each.component), ...modules.values()],
  dependencies: [
    ...bom.dependencies.map(({ ref, dependsOn }) =>
      ref === root["bom-ref"]
        ? { ref, dependsOn: [...dependsOn, ...programs.map((each) => each.component["bom-ref"])] }
        : { ref, dependsOn },
    ),
    ...programs.map((each) => ({
      ref: each.component["bom-ref"],
      dependsOn: each.modules.map((module) => module["bom-ref"]),
    })),
  ],
};

const text = `${JSON.stringify(whole, undefined, 2)}\n`;
if (file === undefined) process.stdout.write(text);
else await writeFile(file, text);
