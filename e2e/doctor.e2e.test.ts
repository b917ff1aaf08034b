// What `notation-provider doctor --cluster` says of a real cluster: as Gatekeeper is installed, as docs/gatekeeper.md wants it, and with one thing weak.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parse, stringify } from "yaml";
import { clusterTrial } from "../provider/doctor/cluster.ts";
import type { Finding } from "../provider/doctor/finding.ts";
import { createHelm } from "../testing/chart/helm.ts";
import { run } from "../testing/chart/run.ts";
import { expectSuccess, type KubernetesObject } from "../testing/cluster/api.ts";
import type { Cluster } from "../testing/cluster/cluster.ts";
import { parseDocuments, readToolFiles } from "../testing/cluster/modules.ts";
import { TEMPLATE } from "../testing/cluster/policy.ts";
import { bundleOf, type RawObject } from "../testing/doctor/cluster.ts";
import { ROOT } from "../testing/provider/start.ts";
import { startE2e } from "./setting.ts";

const GATEKEEPER = "gatekeeper-system";
const PAGE = await readFile(join(ROOT, "docs/gatekeeper.md"), "utf8");
const FILES = await readToolFiles();
const EXPIRED = await bundleOf(new Date("2025-01-01"), new Date("2026-01-01"));

/** An authority in force that signed nothing here. */
const OTHERS = await bundleOf(new Date("2026-01-01"), new Date("2036-01-01"));

/** The YAML of the page that says something. */
function blockOf(text: string): RawObject {
  const blocks = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  const found = blocks.find((block) => block.includes(text));
  assert.ok(found, `docs/gatekeeper.md has no YAML with ${text}`);
  return parse(found);
}

const SETTINGS = blockOf("validatingWebhookFailurePolicy:");
const ROLE = blockOf("kind: ClusterRole");

const REVIEW =
  "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gatekeeper-validating-webhook-configuration";
const MUTATION =
  "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gatekeeper-mutating-webhook-configuration";
const DEPLOYMENTS = `/apis/apps/v1/namespaces/${GATEKEEPER}/deployments`;
const MANAGER = `${DEPLOYMENTS}/gatekeeper-controller-manager`;
const CONSTRAINT = "/apis/constraints.gatekeeper.sh/v1beta1/k8ssignedimages/signed-images";
const PROVIDER = "/apis/externaldata.gatekeeper.sh/v1beta1/providers/notation";
const RULES = "/apis/rbac.authorization.k8s.io/v1/clusterroles/notation-provider-doctor";

interface Weakness {
  readonly name: string;
  /** Path of the object that is changed, and put back afterwards. */
  readonly path: string;
  readonly change: (object: RawObject) => void;
  readonly finds: readonly (readonly [Finding["level"], string, RegExp])[];
}

const review = (object: RawObject): RawObject => object.webhooks[0];
const argumentsOf = (object: RawObject): string[] => object.spec.template.spec.containers[0].args;
const withArgument = (object: RawObject, text: string): void => {
  const [flag] = text.split("=", 1);
  const others = argumentsOf(object).filter((each) => each.split("=", 1)[0] !== flag);
  object.spec.template.spec.containers[0].args = [...others, text];
};

const WEBHOOK = "validation.gatekeeper.sh";
const SIGNED = "K8sSignedImages signed-images";

const WEAKNESSES: readonly Weakness[] = [
  {
    name: "failurePolicy Ignore",
    path: REVIEW,
    change: (object) => (review(object).failurePolicy = "Ignore"),
    finds: [["error", WEBHOOK, /failurePolicy is Ignore/]],
  },
  {
    name: "a webhook that gives up with the Provider",
    path: REVIEW,
    change: (object) => (review(object).timeoutSeconds = 2),
    finds: [["warning", WEBHOOK, /timeoutSeconds \(2\)/]],
  },
  {
    name: "T-41 rules without ephemeral containers",
    path: REVIEW,
    change: (object) => (review(object).rules[0].resources = ["*"]),
    finds: [["error", WEBHOOK, /pods\/ephemeralcontainers/]],
  },
  {
    name: "T-43 an objectSelector",
    path: REVIEW,
    change: (object) => (review(object).objectSelector = { matchLabels: { checked: "yes" } }),
    finds: [["error", WEBHOOK, /objectSelector looks at checked/]],
  },
  {
    name: "T-43 a namespace that the webhook leaves out",
    path: REVIEW,
    change: (object) => review(object).namespaceSelector.matchExpressions[1].values.push("default"),
    finds: [["warning", "namespaces", /^default: left out/]],
  },
  {
    name: "matchConditions",
    path: REVIEW,
    change: (object) => (review(object).matchConditions = [{ name: "all", expression: "true" }]),
    finds: [["warning", WEBHOOK, /matchConditions \(all\)/]],
  },
  {
    name: "an authority of the webhook that has ended",
    path: REVIEW,
    change: (object) => (review(object).clientConfig.caBundle = EXPIRED),
    finds: [["error", WEBHOOK, /its caBundle ended 2026-01-01/]],
  },
  {
    name: "T-43 no webhook over the ignore label",
    path: REVIEW,
    change: (object) => object.webhooks.pop(),
    finds: [["error", "check-ignore-label.gatekeeper.sh", /there is no such webhook/]],
  },
  {
    name: "a mutating webhook without time",
    path: MUTATION,
    change: (object) => (object.webhooks[0].timeoutSeconds = 1),
    finds: [["warning", "tags", /timeoutSeconds \(1\)/]],
  },
  {
    name: "few reviews at once",
    path: MANAGER,
    change: (object) => withArgument(object, "--max-serving-threads=2"),
    finds: [["warning", "gatekeeper-controller-manager", /--max-serving-threads is 2/]],
  },
  {
    name: "answers kept for long",
    path: MANAGER,
    change: (object) => withArgument(object, "--external-data-provider-response-cache-ttl=10m"),
    finds: [["warning", "gatekeeper-controller-manager", /is 10m/]],
  },
  {
    name: "audit off",
    path: `${DEPLOYMENTS}/gatekeeper-audit`,
    change: (object) => withArgument(object, "--audit-interval=0"),
    finds: [["warning", "gatekeeper-audit", /audit is off/]],
  },
  {
    name: "a Provider that gives up early",
    path: PROVIDER,
    change: (object) => (object.spec.timeout = 1),
    finds: [["warning", "Provider notation", /timeout \(1 s\)/]],
  },
  {
    name: "a Provider with somebody else's authority, found by a handshake",
    path: PROVIDER,
    change: (object) => (object.spec.caBundle = OTHERS),
    finds: [
      [
        "error",
        "Provider notation",
        /does not fit what https:\/\/127\.0\.0\.1:\d+\/validate shows/,
      ],
    ],
  },
  {
    name: "a constraint that only reports",
    path: CONSTRAINT,
    change: (object) => (object.spec.enforcementAction = "dryrun"),
    finds: [["warning", "namespaces", /^default.*\(dryrun\)/]],
  },
  {
    name: "T-43 a constraint with a labelSelector",
    path: CONSTRAINT,
    change: (object) => (object.spec.match.labelSelector = { matchLabels: { app: "web" } }),
    finds: [
      ["error", SIGNED, /match\.labelSelector looks at app/],
      ["error", "namespaces", /^default.*no constraint/],
    ],
  },
  {
    name: "a namespace that the constraint spares",
    path: CONSTRAINT,
    change: (object) => object.spec.match.excludedNamespaces.push("default"),
    finds: [["error", "namespaces", /^default: no constraint/]],
  },
  {
    name: "an exemption that has ended",
    path: CONSTRAINT,
    change: (object) =>
      object.spec.parameters.rules.unshift({
        images: ["registry.example/old/*"],
        exempt: { reason: "migration", until: "2026-01-31" },
      }),
    finds: [["warning", SIGNED, /ended 2026-01-31/]],
  },
  {
    name: "images that no rule names",
    path: CONSTRAINT,
    change: (object) => (object.spec.parameters.unmatched = "allow"),
    finds: [["error", SIGNED, /unmatched is allow/]],
  },
  {
    name: "a Provider that a constraint asks and nobody made",
    path: CONSTRAINT,
    change: (object) => (object.spec.parameters.provider = "elsewhere"),
    finds: [["error", SIGNED, /asks Provider elsewhere/]],
  },
  {
    name: "a right that is missing",
    path: RULES,
    change: (object) =>
      (object.rules = object.rules.filter(
        ({ resources }: { readonly resources: readonly string[] }) =>
          !resources.includes("configs"),
      )),
    finds: [["warning", "configs.config.gatekeeper.sh", /you may not list them/]],
  },
];

const weak = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ level }) => level !== "ok");
const subjects = (findings: readonly Finding[]) =>
  findings.map(({ level, subject }) => [level, subject]);

suite("doctor --cluster", () => {
  let cluster: Cluster;
  let kubeconfig: string;
  before(async () => {
    cluster = await startE2e({ gatekeeper: { failurePolicy: "Ignore" } });
    kubeconfig = await asDoctor(cluster);
    await deploy({});
  });
  after(async () => await cluster[Symbol.asyncDispose]());

  /** Gatekeeper's Deployments as its own chart renders them. */
  const deploy = async (values: object): Promise<void> => {
    await using helm = await createHelm("helm", { chart: FILES.chartDirectory });
    const deployments = parseDocuments(await helm.render([await helm.values(values)])).filter(
      ({ kind }) => kind === "Deployment",
    );
    assert.equal(deployments.length, 2);
    await cluster.apply(...deployments.map(onBareNodes));
  };

  const replicasAreReady = async (): Promise<void> => {
    await cluster.wait("Gatekeeper's replicas to be ready", async () => {
      const { status } = (await cluster.api.send(MANAGER)).body as RawObject;
      return status?.readyReplicas === 3 ? true : undefined;
    });
  };

  const look = async (): Promise<readonly Finding[]> =>
    await clusterTrial({ kubeconfig, gatekeeperNamespace: GATEKEEPER, deadlineMs: 1800 }).run(
      AbortSignal.timeout(10_000),
    );

  /** Looks until what is weak is what is wanted: Gatekeeper takes in a change some moments later. */
  const lookFor = async (wanted: Weakness["finds"]): Promise<readonly Finding[]> => {
    let last: readonly Finding[] = [];
    const isWanted = async (): Promise<readonly Finding[] | undefined> => {
      last = weak(await look());
      const fits =
        last.length === wanted.length &&
        wanted.every(
          ([level, subject, says], index) =>
            last[index]?.level === level &&
            last[index].subject === subject &&
            says.test(last[index].sentence),
        );
      return fits ? last : undefined;
    };
    try {
      return await cluster.wait("the findings", isWanted, 15);
    } catch {
      assert.deepEqual(subjects(last), wanted, JSON.stringify(last, null, 1));
      return last;
    }
  };

  test("as Gatekeeper is installed, with the template and nothing else, doctor names what fails open, and exits 1", async () => {
    await replicasAreReady();
    const main = join(ROOT, "provider/main.ts");
    const args = ["doctor", "--cluster", "--kubeconfig", kubeconfig, "--output", "json"];
    const { code, stdout } = await run(process.execPath, [main, ...args]);
    assert.equal(code, 1);
    assert.deepEqual(
      weak(JSON.parse(stdout) as readonly Finding[]).map(({ level, subject, sentence }) => [
        level,
        subject,
        sentence.split(/[:(]/, 1)[0],
      ]),
      [
        ["error", WEBHOOK, "failurePolicy is Ignore"],
        [
          "error",
          "gatekeeper-controller-manager",
          "--max-serving-threads is the number of processors",
        ],
        ["warning", "gatekeeper-controller-manager", "--log-denies is off"],
        ["error", "K8sSignedImages", "there is no constraint"],
        ["error", "namespaces", "default"],
        ["warning", "tags", "nothing pins them"],
      ],
    );
  });

  test("with the settings of docs/gatekeeper.md nothing is left, and the ClusterRole there is enough to see it", async () => {
    await deploy(SETTINGS);
    await cluster.gatekeeper.configure({
      failurePolicy: SETTINGS.validatingWebhookFailurePolicy,
      timeoutSeconds: SETTINGS.validatingWebhookTimeoutSeconds,
      mutationTimeoutSeconds: SETTINGS.mutatingWebhookTimeoutSeconds,
      maxServingThreads: SETTINGS.maxServingThreads,
    });
    for (const path of ["constraints/overlays/enforce", "constraints/mutation"]) {
      const { stdout } = await cluster.kubectl("kustomize", join(ROOT, path));
      await cluster.apply(...parseDocuments(stdout));
    }
    await lookFor([]);
    assert.deepEqual(weak(await look()), []);
  });

  for (const { name, path, change, finds } of WEAKNESSES) {
    test(`named, and gone when it is mended: ${name}`, async () => {
      const former = expectSuccess(await cluster.api.send(path), path).body as RawObject;
      const changed = structuredClone(former);
      change(changed);
      await put(cluster, path, changed);
      try {
        await lookFor(finds);
      } finally {
        await put(cluster, path, former);
      }
      await lookFor([]);
    });
  }

  test("without the template doctor says so, and that nothing is constrained", async () => {
    const template = "/apis/templates.gatekeeper.sh/v1/constrainttemplates/k8ssignedimages";
    expectSuccess(await cluster.api.send(template, { method: "DELETE" }), template);
    await lookFor([
      ["error", "k8ssignedimages.constraints.gatekeeper.sh", /no such kind/],
      ["error", "ConstraintTemplate k8ssignedimages", /nobody asks the provider/],
      ["error", "namespaces", /^default.*no constraint/],
    ]);
    await cluster.applyFile(TEMPLATE);
  });
});

/** The nodes here have no memory, no label and no processor to ask for. */
function onBareNodes(deployment: RawObject): RawObject {
  const { nodeSelector: _, containers, ...spec } = deployment.spec.template.spec;
  const bare = containers.map(({ resources: __, ...container }: RawObject) => container);
  const template = { ...deployment.spec.template, spec: { ...spec, containers: bare } };
  return { ...deployment, spec: { ...deployment.spec, template } };
}

/** Writes an object over whatever is there now, members that are gone included. Whoever writes its status meanwhile is no reason to give up. */
async function put(cluster: Cluster, path: string, object: RawObject): Promise<void> {
  await cluster.wait(`${path} to be written`, async () => {
    const now = expectSuccess(await cluster.api.send(path), path).body;
    const resourceVersion = now.metadata["resourceVersion"];
    const body = { ...object, metadata: { ...object.metadata, resourceVersion } };
    const answer = await cluster.api.send(path, { method: "PUT", body });
    return answer.status === 409 ? undefined : expectSuccess(answer, `writing ${path}`);
  });
}

/** Makes somebody with no right but those of the page's ClusterRole. @returns the path of a kubeconfig */
async function asDoctor(cluster: Cluster): Promise<string> {
  const account = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "doctor", namespace: "default" },
  };
  const binding: KubernetesObject = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "doctor" },
    roleRef: {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "ClusterRole",
      name: ROLE.metadata.name,
    },
    subjects: [{ kind: "ServiceAccount", name: "doctor", namespace: "default" }],
  };
  await cluster.apply(account, ROLE, binding);
  const token = await cluster.api.send("/api/v1/namespaces/default/serviceaccounts/doctor/token", {
    method: "POST",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  const status = expectSuccess(token, "asking for a token").body["status"] as { token: string };
  const config = parse(await readFile(cluster.kubeconfig, "utf8"));
  config.users[0].user = { token: status.token };
  const path = join(cluster.directory, "doctor.kubeconfig");
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}
