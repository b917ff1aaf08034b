import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { ROOT } from "../provider/start.ts";
import type { KubernetesObject } from "./api.ts";
import { output } from "./processes.ts";

/** Files that come with a tool's Go module, in the very version that its binary was built from. */
export interface ToolFiles {
  /** Gatekeeper's CustomResourceDefinitions. */
  readonly crds: readonly KubernetesObject[];
  /** Defaults of Gatekeeper's chart. */
  readonly chart: ChartValues;
  /** Where that chart lies. */
  readonly chartDirectory: string;
  /** kwok's stages, one YAML text: nodes become ready at once, Pods run at once, Jobs' Pods complete, deleted Pods go. */
  readonly stages: string;
}

/** What of the chart's `values.yaml` says how the API server calls the webhooks. */
export interface ChartValues {
  readonly validatingWebhookTimeoutSeconds: number;
  readonly validatingWebhookCheckIgnoreFailurePolicy: string;
  readonly validatingWebhookSubResources: readonly string[];
  readonly mutatingWebhookFailurePolicy: string;
  readonly mutatingWebhookReinvocationPolicy: string;
  readonly mutatingWebhookTimeoutSeconds: number;
  readonly mutatingWebhookSubResources: readonly string[];
}

const STAGES = [
  "node/fast/node-initialize.yaml",
  "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
  "pod/fast/pod-ready.yaml",
  "pod/fast/pod-complete.yaml",
  "pod/fast/pod-delete.yaml",
];

/** Reads what the harness needs of the modules; Go fetches them if its module cache has lost them. */
export async function readToolFiles(): Promise<ToolFiles> {
  const [gatekeeper, kwok] = await Promise.all([
    moduleDirectory("gatekeeper", "github.com/open-policy-agent/gatekeeper/v3"),
    moduleDirectory("kwok", "sigs.k8s.io/kwok"),
  ]);
  const chart = join(gatekeeper, "charts/gatekeeper");
  const crds = await readdir(join(chart, "crds"));
  return {
    crds: (
      await Promise.all(crds.map(async (name) => await read(join(chart, "crds", name))))
    ).flatMap(parseDocuments),
    chart: parse(await read(join(chart, "values.yaml"))) as ChartValues,
    chartDirectory: chart,
    stages: (
      await Promise.all(STAGES.map(async (name) => await read(join(kwok, "kustomize/stage", name))))
    ).join("\n---\n"),
  };
}

const read = async (path: string): Promise<string> => await readFile(path, "utf8");

/** Where the source of a module is that a folder of tools/ names. */
export async function moduleDirectory(tool: string, module: string): Promise<string> {
  const answer = await output(
    "go",
    ["mod", "download", "-json", module],
    join(ROOT, "tools", tool),
  );
  return (JSON.parse(answer) as { readonly Dir: string }).Dir;
}

/** The objects of a YAML text. @throws Error when it is not YAML */
export function parseDocuments(text: string): readonly KubernetesObject[] {
  const documents = parseAllDocuments(text);
  return (Array.isArray(documents) ? documents : []).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw problem;
    const value = document.toJS() as KubernetesObject | null;
    return value === null ? [] : [value];
  });
}
