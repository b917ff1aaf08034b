import { createHash, X509Certificate } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { KubernetesObject } from "../cluster/api.ts";
import { parseDocuments } from "../cluster/modules.ts";
import { ROOT } from "../provider/start.ts";
import { run, type Ran } from "./run.ts";

export const CHART = join(ROOT, "helm/notation-gatekeeper-provider");

/** The two versions of Helm that the chart is for, as tools/bin has them. */
export const HELMS = ["helm", "helm3"] as const;
export type HelmName = (typeof HELMS)[number];

/** Where Gatekeeper is, and so the release. */
export const NAMESPACE = "gatekeeper-system";

/** What Helm takes for the cluster's version where it asks none; the one of tools/kube. */
const KUBERNETES = "1.36.3";

/** As if Gatekeeper had made the kind already: without it the constraint is not rendered. */
export const KNOWN_KIND = "--api-versions=constraints.gatekeeper.sh/v1beta1/K8sSignedImages";

export interface Helm extends AsyncDisposable {
  /** Runs it with nothing of the user's own. */
  helm(...args: readonly string[]): Promise<Ran>;
  /** Writes values into a file of their own. @returns its path */
  values(values: object): Promise<string>;
  /** What `helm template` prints. @throws Error with what Helm said when it refuses */
  render(values: readonly string[], ...args: readonly string[]): Promise<string>;
}

/** @param kubeconfig of the cluster that is installed into */
export async function createHelm(
  name: HelmName = "helm",
  { kubeconfig, chart = CHART }: { readonly kubeconfig?: string; readonly chart?: string } = {},
): Promise<Helm> {
  const home = await mkdtemp(join(tmpdir(), "helm-"));
  let files = 0;
  const helm: Helm["helm"] = async (...args) =>
    await run(join(ROOT, "tools/bin", name), args, {
      environment: {
        HOME: home,
        HELM_CACHE_HOME: join(home, "cache"),
        HELM_CONFIG_HOME: join(home, "config"),
        HELM_DATA_HOME: join(home, "data"),
        ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }),
      },
    });
  return {
    helm,
    async values(values) {
      const path = join(home, `values-${(files += 1)}.yaml`);
      await writeFile(path, stringify(values));
      return path;
    },
    async render(values, ...args) {
      const { code, stdout, stderr } = await helm(
        "template",
        "release",
        chart,
        `--namespace=${NAMESPACE}`,
        `--kube-version=${KUBERNETES}`,
        ...values.map((file) => `--values=${file}`),
        ...args,
      );
      if (code !== 0) throw new Error(stderr);
      return stdout;
    },
    [Symbol.asyncDispose]: async () => await rm(home, { recursive: true, force: true }),
  };
}

/** Copies the chart, with another certificate for the root of AWS Signer: AWS's own is not ours to keep here. @param root PEM */
export async function copyChart(folder: string, root: string): Promise<void> {
  await cp(CHART, folder, { recursive: true });
  const file = join(folder, "templates/validate.yaml");
  const fingerprint = createHash("sha256").update(new X509Certificate(root).raw).digest("hex");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/"90a8[0-9a-f]{60}"/, `"${fingerprint}"`));
}

/** The ways of installing that the chart is tested with: files of its folder `ci`. */
export async function scenarios(): Promise<
  readonly { readonly name: string; readonly file: string }[]
> {
  const names = await readdir(join(CHART, "ci"));
  return names
    .toSorted()
    .map((name) => ({ name: name.replace(/-values\.yaml$/, ""), file: join(CHART, "ci", name) }));
}

/** The oldest minor version of Kubernetes that the chart is for: `1.30`. */
export async function chartKubernetes(): Promise<string> {
  const text = await readFile(join(CHART, "Chart.yaml"), "utf8");
  return /^kubeVersion: ">=(\d+\.\d+)\./m.exec(text)?.[1] ?? "";
}

/** The only object of a kind, or of a kind and a name. @throws Error when there is none */
export function find(
  objects: readonly KubernetesObject[],
  kind: string,
  name?: string,
): KubernetesObject {
  const found = objects.find(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found === undefined) throw new Error(`there is no ${kind} ${name ?? ""}`);
  return found;
}

export { parseDocuments };
