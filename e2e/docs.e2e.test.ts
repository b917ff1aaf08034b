// The commands of the pages that lead to the first refused Pod, run as they stand on a real control plane. What a cluster
// of machines would do of itself is done here: to run the provider's Pod, and that of `helm test`.
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { NAMESPACE } from "../testing/chart/helm.ts";
import { buildImage, type Image } from "../testing/chart/image.ts";
import { startPod, type PodSpec, type RunningPod } from "../testing/chart/kubelet.ts";
import { startNode } from "../testing/chart/node.ts";
import { run, type Ran } from "../testing/chart/run.ts";
import { startCluster, type Cluster } from "../testing/cluster/cluster.ts";
import { KIND, podConstraint, providerOf, TEMPLATE } from "../testing/cluster/policy.ts";
import { ROOT } from "../testing/provider/start.ts";
import { commandsOf, type Command } from "./page.ts";
import { ADDRESS, HOSTS, isTrusted, PROVIDERS, releaseValues } from "./release.ts";
import { useAll } from "./setting.ts";

/** What is not run here, each with its reason. Every line has to be of use. */
const ELSEWHERE: readonly { readonly line: RegExp; readonly why: string }[] = [
  {
    line: /^docker buildx build /,
    why: "there is no container engine; testing/chart/image.integration.test.ts takes the steps of the Dockerfile",
  },
  {
    line: /^make (?:demo|test)$/,
    why: "the one has a test of its own, the other is what runs this",
  },
  { line: /^make cluster$/, why: "it runs until it is ended; what it brings is there already" },
  {
    line: /^node_modules\/\.bin\/node provider\/main\.ts verify /,
    why: "it asks the registry of make demo-serve, which runs until it is ended",
  },
];

suite("the documentation", () => {
  const resources = new AsyncDisposableStack();
  let cluster: Cluster;
  let image: Image;
  let directory: string;
  let pod: RunningPod | undefined;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "docs-"));
    resources.defer(async () => await rm(directory, { recursive: true, force: true }));
    [cluster, image] = await useAll(resources, [startCluster({ hosts: HOSTS }), buildImage()]);
    resources.use(startNode({ api: cluster.api, namespace: NAMESPACE, image }));
    for (const name of ["helm", "constraints", "templates"]) {
      await symlink(join(ROOT, name), join(directory, name));
    }
  });
  after(async () => await resources.disposeAsync());

  /** What a cluster does of itself when something was installed. */
  async function settle(): Promise<void> {
    const deployment = await cluster.api.read({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "notation-provider", namespace: NAMESPACE },
    });
    if (deployment === undefined) return;
    const { template } = deployment["spec"] as { readonly template: { readonly spec: PodSpec } };
    if (pod === undefined) {
      const place = { api: cluster.api, namespace: NAMESPACE, image };
      pod = resources.use(await startPod({ ...place, spec: template.spec, address: ADDRESS }));
      await pod.ready();
      await cluster.wait("the CA in the Provider", async () => await isTrusted(cluster));
    }
    for (const name of PROVIDERS) await cluster.active(name);
    const constraint = { apiVersion: "constraints.gatekeeper.sh/v1beta1", kind: KIND };
    for (const { metadata } of await cluster.api.list(constraint).catch(() => [])) {
      await cluster.enforced(KIND, metadata.name);
    }
  }

  /** What follows `kubectl exec` and the name of the provider's Deployment. */
  const ENTERED = /^kubectl (?:--namespace \S+ )?exec deployment\/notation-provider -- (.+)$/;

  /** Runs a line as a shell does. Into a Pod the API server leads through its node, which here is a name alone. */
  async function runLine(line: string): Promise<Ran> {
    const [, entered] = ENTERED.exec(line) ?? [];
    if (entered !== undefined && pod !== undefined) {
      return await pod.container.run(entered.split(" "));
    }
    const script = `k() { kubectl --namespace default "$@"; }\n${here(line)}`;
    return await run("bash", ["--norc", "-euc", script], {
      directory,
      environment: {
        PATH: `${join(ROOT, "tools/bin")}:${process.env["PATH"]}`,
        HOME: directory,
        KUBECONFIG: cluster.kubeconfig,
        REGISTRY: cluster.registry.host,
      },
    });
  }

  /** An image of the page as the one of this cluster that it stands for. */
  function here(text: string): string {
    const { signed, unsigned } = cluster.samples;
    return text
      .replaceAll(/[^\s=]+\/app:(signed|unsigned)\b/g, (_, name) =>
        name === "signed" ? signed : unsigned,
      )
      .replaceAll(/127\.0\.0\.1:\d+\/team\//g, `${cluster.registry.host}/team/`);
  }

  /** Runs a command as somebody would who has the page before them. */
  async function follow({ line, output }: Command): Promise<void> {
    const { code, stdout, stderr } = await runLine(line);
    const said = `${stdout}${stderr}`.replaceAll(/\s+/g, " ");
    const isToFail = output.some((own) => own.startsWith("Error"));
    assert.equal(code === 0, !isToFail, `${line}: ${said}`);
    for (const own of output) assert.ok(said.includes(here(own)), `${line}: ${own}, not ${said}`);
    await settle();
  }

  const used = new Set<RegExp>();
  async function followPage(page: string): Promise<number> {
    let followed = 0;
    for (const command of await commandsOf(page)) {
      const elsewhere = ELSEWHERE.find((row) => row.line.test(command.line));
      if (elsewhere !== undefined) used.add(elsewhere.line);
      else {
        await follow(command);
        followed += 1;
      }
    }
    return followed;
  }

  test("README.md: what make cluster brings admits the one Pod and refuses the other", async () => {
    // As testing/cluster/main.ts makes it.
    await cluster.applyFile(TEMPLATE);
    await cluster.established(KIND);
    const { host: registry } = cluster.registry;
    const constraint = podConstraint({ name: "signed-images", namespaces: ["default"], registry });
    await cluster.apply(constraint);
    await cluster.enforced(KIND, "signed-images");
    assert.ok((await followPage("README.md")) > 3);
    for (const object of await cluster.api.list(constraint)) await cluster.api.remove(object);
    await cluster.kubectl("delete", "--filename", TEMPLATE);
    await cluster.wait("the constraint's kind to be gone", async () => {
      const { status, body } = await cluster.api.send("/apis/constraints.gatekeeper.sh/v1beta1");
      return status === 404 || !JSON.stringify(body).includes(KIND) ? true : undefined;
    });
  });

  test("docs/install.md: from a cluster with Gatekeeper to a refused Pod, and back", async () => {
    // The harness has Provider objects of its own, by the names of the chart's.
    for (const name of PROVIDERS) await cluster.api.remove(providerOf(name));
    const values = await releaseValues(cluster);
    await writeFile(join(directory, "values.yaml"), JSON.stringify(values));
    assert.ok((await followPage("docs/install.md")) > 6);
  });

  test("every exception is one", () => {
    const unused = ELSEWHERE.filter(({ line }) => !used.has(line));
    assert.deepEqual(unused, []);
  });
});
