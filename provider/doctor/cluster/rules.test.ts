import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bundleOf,
  wellSetCluster,
  type RawCluster,
  type RawObject,
} from "../../../testing/doctor/cluster.ts";
import type { ApiAnswer } from "../../kubernetes/client.ts";
import type { Finding } from "../finding.ts";
import type { Handshake } from "./observed.ts";
import { observe } from "./read.ts";
import { clusterFindings } from "./rules.ts";

const NOW = new Date("2026-11-21T12:00:00Z");
const EXPIRED = await bundleOf(new Date("2025-01-01"), new Date("2026-01-01"));
const ENDS_SOON = await bundleOf(new Date("2025-01-01"), new Date("2026-12-01"));
const NOT_YET = await bundleOf(new Date("2027-01-01"), new Date("2028-01-01"));

interface Weakness {
  readonly name: string;
  /** Makes it weak. */
  readonly change: (cluster: RawCluster) => void;
  /** Level, subject, and what the sentence says; no other finding than `ok` may come. */
  readonly finds: readonly (readonly [Finding["level"], string, RegExp])[];
}

const first = (objects: RawObject[] | undefined, index = 0): RawObject => objects?.[index];
const review = (cluster: RawCluster): RawObject =>
  first(cluster["validatingwebhookconfigurations"]).webhooks[0];
const guard = (cluster: RawCluster): RawObject =>
  first(cluster["validatingwebhookconfigurations"]).webhooks[1];
const mutation = (cluster: RawCluster): RawObject =>
  first(cluster["mutatingwebhookconfigurations"]).webhooks[0];
const manager = (cluster: RawCluster, index = 0): RawObject => first(cluster["deployments"], index);
const argumentsOf = (cluster: RawCluster, index = 0): string[] =>
  manager(cluster, index).spec.template.spec.containers[0].args;
const setArgument = (cluster: RawCluster, text: string, index = 0): void => {
  const [flag = ""] = text.split("=", 1);
  const args = argumentsOf(cluster, index);
  args.splice(0, args.length, ...args.filter((each) => each.split("=", 1)[0] !== flag), text);
};
const constraint = (cluster: RawCluster): RawObject => first(cluster["k8ssignedimages"]);
const validation = (cluster: RawCluster): RawObject => first(cluster["providers"]);

const WEBHOOK = "validation.gatekeeper.sh";
const MANAGER = "gatekeeper-controller-manager";
const CONSTRAINT = "K8sSignedImages signed-images";

const WEAKNESSES: readonly Weakness[] = [
  {
    name: "no webhook that reviews",
    change: (cluster) => first(cluster["validatingwebhookconfigurations"]).webhooks.shift(),
    finds: [["error", WEBHOOK, /nothing is reviewed/]],
  },
  {
    name: "failurePolicy Ignore",
    change: (cluster) => (review(cluster).failurePolicy = "Ignore"),
    finds: [["error", WEBHOOK, /failurePolicy is Ignore: .* within 3 s is admitted unverified/]],
  },
  {
    name: "a webhook that gives up with the Provider, and refuses",
    change: (cluster) => (review(cluster).timeoutSeconds = 2),
    finds: [
      [
        "warning",
        WEBHOOK,
        /timeoutSeconds \(2\) is not above the timeout of Provider notation \(2\)/,
      ],
    ],
  },
  {
    name: "a webhook that gives up with the Provider, and admits",
    change: (cluster) =>
      Object.assign(review(cluster), { timeoutSeconds: 1, failurePolicy: "Ignore" }),
    finds: [
      ["error", WEBHOOK, /failurePolicy is Ignore/],
      ["error", WEBHOOK, /timeoutSeconds \(1\)/],
    ],
  },
  {
    name: "T-41 rules without ephemeral containers",
    change: (cluster) => (review(cluster).rules[0].resources = ["*"]),
    finds: [["error", WEBHOOK, /UPDATE of pods\/ephemeralcontainers: `kubectl debug`/]],
  },
  {
    name: "rules that see no update",
    change: (cluster) => (review(cluster).rules[0].operations = ["CREATE"]),
    finds: [
      ["error", WEBHOOK, /UPDATE of pods: /],
      ["error", WEBHOOK, /UPDATE of pods\/ephemeralcontainers: /],
    ],
  },
  {
    name: "rules for objects of the cluster only",
    change: (cluster) => (review(cluster).rules[0].scope = "Cluster"),
    finds: [
      ["error", WEBHOOK, /CREATE of pods: /],
      ["error", WEBHOOK, /UPDATE of pods: /],
      ["error", WEBHOOK, /ephemeralcontainers: /],
      ["warning", WEBHOOK, /replicationcontrollers, .*cronjobs/],
    ],
  },
  {
    name: "rules without some workloads",
    change: (cluster) =>
      (review(cluster).rules = [
        { ...review(cluster).rules[0], apiGroups: [""] },
        { ...review(cluster).rules[0], apiGroups: ["apps"], apiVersions: ["v1"] },
      ]),
    finds: [["warning", WEBHOOK, /leave out jobs, cronjobs: a refusal is seen only at their Pods/]],
  },
  {
    name: "T-43 an objectSelector",
    change: (cluster) => (review(cluster).objectSelector = { matchLabels: { checked: "yes" } }),
    finds: [["error", WEBHOOK, /objectSelector looks at checked/]],
  },
  {
    name: "T-43 a namespaceSelector over a label that anybody may set",
    change: (cluster) =>
      review(cluster).namespaceSelector.matchExpressions.push({
        key: "team",
        operator: "NotIn",
        values: ["platform"],
      }),
    finds: [["warning", WEBHOOK, /namespaceSelector looks at team/]],
  },
  {
    name: "conditions over what is looked at",
    change: (cluster) =>
      (review(cluster).matchConditions = [{ name: "not-ci", expression: "true" }]),
    finds: [["warning", WEBHOOK, /matchConditions \(not-ci\)/]],
  },
  {
    name: "an authority of the webhook that has ended",
    change: (cluster) => (review(cluster).clientConfig.caBundle = EXPIRED),
    finds: [
      ["error", WEBHOOK, /its caBundle ended 2026-01-01: the call fails and everything is refused/],
    ],
  },
  {
    name: "an authority of the webhook that has ended, under Ignore",
    change: (cluster) =>
      Object.assign(review(cluster), {
        failurePolicy: "Ignore",
        clientConfig: { caBundle: EXPIRED },
      }),
    finds: [
      ["error", WEBHOOK, /failurePolicy is Ignore/],
      [
        "error",
        WEBHOOK,
        /its caBundle ended 2026-01-01: the call fails and everything is admitted/,
      ],
    ],
  },
  {
    name: "a webhook without an authority",
    change: (cluster) => (guard(cluster).clientConfig = {}),
    finds: [["error", "check-ignore-label.gatekeeper.sh", /holds no certificate/]],
  },
  {
    name: "webhooks of two authorities",
    change: (cluster) => (mutation(cluster).clientConfig.caBundle = ENDS_SOON),
    finds: [
      [
        "warning",
        "validation.gatekeeper.sh, check-ignore-label.gatekeeper.sh, mutation.gatekeeper.sh",
        /one of the bundles is old/,
      ],
    ],
  },
  {
    name: "T-43 no webhook over the ignore label",
    change: (cluster) => first(cluster["validatingwebhookconfigurations"]).webhooks.pop(),
    finds: [["error", "check-ignore-label.gatekeeper.sh", /whoever may label a namespace/]],
  },
  {
    name: "T-43 a webhook over the ignore label that admits",
    change: (cluster) => (guard(cluster).failurePolicy = "Ignore"),
    finds: [["error", "check-ignore-label.gatekeeper.sh", /failurePolicy is Ignore/]],
  },
  {
    name: "as many reviews at once as processors, which refuse",
    change: (cluster) => setArgument(cluster, "--max-serving-threads=-1"),
    finds: [
      ["warning", MANAGER, /--max-serving-threads is the number of processors: .* are refused/],
    ],
  },
  {
    name: "few reviews at once, which admit",
    change: (cluster) => {
      review(cluster).failurePolicy = "Ignore";
      setArgument(cluster, "--max-serving-threads=35");
    },
    finds: [
      ["error", WEBHOOK, /failurePolicy is Ignore/],
      ["error", MANAGER, /--max-serving-threads is 35: .* are admitted unverified/],
    ],
  },
  {
    name: "external data off",
    change: (cluster) => setArgument(cluster, "--enable-external-data=false"),
    finds: [["error", MANAGER, /--enable-external-data is off/]],
  },
  {
    name: "answers kept for long",
    change: (cluster) => setArgument(cluster, "--external-data-provider-response-cache-ttl=1h30m"),
    finds: [["warning", MANAGER, /ttl is 1h30m/]],
  },
  {
    name: "refusals that are not logged",
    change: (cluster) => setArgument(cluster, "--log-denies=false"),
    finds: [["warning", MANAGER, /--log-denies is off/]],
  },
  {
    name: "a single replica that reviews",
    change: (cluster) =>
      Object.assign(manager(cluster), {
        spec: { ...manager(cluster).spec, replicas: 1 },
        status: { readyReplicas: 1 },
      }),
    finds: [["warning", MANAGER, /has a single replica/]],
  },
  {
    name: "no replica that is ready",
    change: (cluster) => (manager(cluster).status = {}),
    finds: [["error", MANAGER, /no replica is ready: everything is refused/]],
  },
  {
    name: "T-43 namespaces that may exempt themselves by their name",
    change: (cluster) =>
      argumentsOf(cluster).push(
        "--exempt-namespace-prefix",
        "ci-",
        "--exempt-namespace-suffix=-dev",
      ),
    finds: [["error", MANAGER, /namespaces named ci-\*, \*-dev may be labelled/]],
  },
  {
    name: "T-43 a namespace that may be exempted",
    change: (cluster) => argumentsOf(cluster).push("-exempt-namespace", "monitoring"),
    finds: [["warning", MANAGER, /--exempt-namespace lets monitoring/]],
  },
  {
    name: "a Gatekeeper too old for the template",
    change: (cluster) =>
      (manager(cluster).spec.template.spec.containers[0].image = "example/gatekeeper:v3.18.2"),
    finds: [["error", MANAGER, /release 3\.18/]],
  },
  {
    name: "audit off",
    change: (cluster) => setArgument(cluster, "--audit-interval=0", 1),
    finds: [["warning", "gatekeeper-audit", /audit is off/]],
  },
  {
    name: "audit from the cache",
    change: (cluster) => argumentsOf(cluster, 1).push("--audit-from-cache"),
    finds: [["warning", "gatekeeper-audit", /--audit-from-cache is on/]],
  },
  {
    name: "no audit",
    change: (cluster) => cluster["deployments"]?.pop(),
    finds: [["warning", "gatekeeper", /no Deployment audits/]],
  },
  {
    name: "nobody who reviews",
    change: (cluster) => cluster["deployments"]?.shift(),
    finds: [["error", "gatekeeper", /no Deployment reviews/]],
  },
  {
    name: "no Deployment where it was looked for",
    change: (cluster) => (cluster["deployments"] = []),
    finds: [
      ["warning", "gatekeeper", /no Deployment of Gatekeeper in namespace gatekeeper-system/],
    ],
  },
  {
    name: "T-43 namespaces that Gatekeeper's Config excludes",
    change: (cluster) =>
      (cluster["configs"] = [
        {
          metadata: { name: "config" },
          spec: {
            match: [
              { excludedNamespaces: ["team-*", "kube-*"], processes: ["webhook"] },
              { excludedNamespaces: ["default"], processes: ["audit"] },
            ],
          },
        },
      ]),
    finds: [["warning", "namespaces", /^team-a: excluded by Gatekeeper's Config/]],
  },
  {
    name: "T-43 a namespace with the ignore label",
    change: (cluster) =>
      (first(cluster["namespaces"], 5).metadata.labels["admission.gatekeeper.sh/ignore"] = "yes"),
    finds: [["warning", "namespaces", /^team-a: label admission\.gatekeeper\.sh\/ignore/]],
  },
  {
    name: "T-43 a namespace that the webhook leaves out by name",
    change: (cluster) =>
      review(cluster).namespaceSelector.matchExpressions[1].values.push("team-a"),
    finds: [["warning", "namespaces", /^team-a: left out by the webhook's namespaceSelector/]],
  },
  {
    name: "no Provider of ours",
    change: (cluster) => cluster["providers"]?.splice(0, 1),
    finds: [
      ["error", "Provider", /none whose url ends in \/validate/],
      ["error", CONSTRAINT, /asks Provider notation, which there is not/],
      ["error", `${CONSTRAINT}-system`, /asks Provider notation/],
    ],
  },
  {
    name: "a Provider without a time-out",
    change: (cluster) => (validation(cluster).spec.timeout = 0),
    finds: [["error", "Provider notation", /has no timeout/]],
  },
  {
    name: "a Provider that gives up before the provider answers",
    change: (cluster) => (validation(cluster).spec.timeout = 1),
    finds: [["warning", "Provider notation", /timeout \(1 s\) is not above .* \(1\.8 s\)/]],
  },
  {
    name: "a Provider whose authority has ended",
    change: (cluster) => (validation(cluster).spec.caBundle = EXPIRED),
    finds: [["error", "Provider notation", /its caBundle ended 2026-01-01/]],
  },
  {
    name: "a Provider whose authority ends soon",
    change: (cluster) => (validation(cluster).spec.caBundle = ENDS_SOON),
    finds: [["warning", "Provider notation", /its caBundle ends 2026-12-01/]],
  },
  {
    name: "a Provider whose authority is of tomorrow",
    change: (cluster) => (validation(cluster).spec.caBundle = NOT_YET),
    finds: [["error", "Provider notation", /its caBundle begins 2027-01-01/]],
  },
  {
    name: "a Provider whose authority is no certificate",
    change: (cluster) => (validation(cluster).spec.caBundle = "bm8gUEVN"),
    finds: [["error", "Provider notation", /holds no certificate/]],
  },
  {
    name: "a Provider that Gatekeeper refuses",
    change: (cluster) =>
      (validation(cluster).status.byPod[0] = {
        id: "gatekeeper-audit",
        active: false,
        errors: [{ type: "Conversion", message: "bad CA bundle" }],
      }),
    finds: [["error", "Provider notation", /Gatekeeper refuses it: bad CA bundle/]],
  },
  {
    name: "a Provider that nobody has taken in",
    change: (cluster) => (validation(cluster).status = {}),
    finds: [["error", "Provider notation", /no process of Gatekeeper knows it/]],
  },
  {
    name: "a Provider that one process has an old form of",
    change: (cluster) => (validation(cluster).status.byPod[1].observedGeneration = 0),
    finds: [["error", "Provider notation", /gatekeeper-audit do not know it as it is/]],
  },
  {
    name: "no template",
    change: (cluster) => cluster["constrainttemplates"]?.shift(),
    finds: [["error", "ConstraintTemplate k8ssignedimages", /nobody asks the provider/]],
  },
  {
    name: "a template that does not compile",
    change: (cluster) =>
      (first(cluster["constrainttemplates"]).status.byPod[0].errors = [
        { code: "ingest_error", message: "undefined function external_data" },
      ]),
    finds: [["error", "ConstraintTemplate k8ssignedimages", /undefined function external_data/]],
  },
  {
    name: "a template that is not in force yet",
    change: (cluster) => (first(cluster["constrainttemplates"]).status = { created: false }),
    finds: [["error", "ConstraintTemplate k8ssignedimages", /has not taken it in/]],
  },
  {
    name: "a template that one process has an old form of",
    change: (cluster) => (first(cluster["constrainttemplates"]).metadata.generation = 2),
    finds: [["warning", "ConstraintTemplate k8ssignedimages", /still go by a former one/]],
  },
  {
    name: "no constraint",
    change: (cluster) => (cluster["k8ssignedimages"] = []),
    finds: [
      ["error", "K8sSignedImages", /there is no constraint/],
      ["error", "namespaces", /^default, team-a: no constraint/],
    ],
  },
  ...(["dryrun", "warn"] as const).map((action): Weakness => ({
    name: `a constraint that only does ${action}`,
    change: (cluster) => (constraint(cluster).spec.enforcementAction = action),
    finds: [["warning", "namespaces", new RegExp(`^default, team-a: .*\\(${action}\\)`)]],
  })),
  {
    name: "a constraint for the audit alone",
    change: (cluster) =>
      Object.assign(constraint(cluster).spec, {
        enforcementAction: "scoped",
        scopedEnforcementActions: [
          { action: "deny", enforcementPoints: [{ name: "audit.gatekeeper.sh" }] },
        ],
      }),
    finds: [["error", "namespaces", /^default, team-a: no constraint/]],
  },
  {
    name: "a constraint for a ValidatingAdmissionPolicy alone, which knows no Rego",
    change: (cluster) =>
      Object.assign(constraint(cluster).spec, {
        enforcementAction: "scoped",
        scopedEnforcementActions: [{ action: "deny", enforcementPoints: [{ name: "vap.k8s.io" }] }],
      }),
    finds: [
      ["error", CONSTRAINT, /no enforcement point but vap\.k8s\.io/],
      ["error", "namespaces", /^default, team-a: no constraint/],
    ],
  },
  {
    name: "a constraint over some namespaces",
    change: (cluster) => (constraint(cluster).spec.match.namespaces = ["team-*"]),
    finds: [["error", "namespaces", /^default: no constraint/]],
  },
  {
    name: "a constraint that spares a namespace",
    change: (cluster) => constraint(cluster).spec.match.excludedNamespaces.push("*a"),
    finds: [["error", "namespaces", /^team-a: no constraint/]],
  },
  {
    name: "a constraint over other kinds",
    change: (cluster) => constraint(cluster).spec.match.kinds.shift(),
    finds: [["error", "namespaces", /^default, team-a: no constraint/]],
  },
  ...[{ scope: "Cluster" }, { name: "web-*" }, { source: "Generated" }].map((match): Weakness => ({
    name: `a constraint that matches ${JSON.stringify(match)} and so no Pod, or not each`,
    change: (cluster) => Object.assign(constraint(cluster).spec.match, match),
    finds: [["error", "namespaces", /^default, team-a: no constraint/]],
  })),
  {
    name: "T-43 a constraint with a labelSelector",
    change: (cluster) =>
      (constraint(cluster).spec.match.labelSelector = { matchLabels: { app: "web" } }),
    finds: [
      ["error", CONSTRAINT, /match\.labelSelector looks at app/],
      ["error", "namespaces", /^default, team-a: no constraint/],
    ],
  },
  {
    name: "T-43 a constraint with a namespaceSelector",
    change: (cluster) => {
      constraint(cluster).spec.match.namespaceSelector = {
        matchExpressions: [{ key: "signed", operator: "Exists" }],
      };
      first(cluster["namespaces"], 5).metadata.labels.signed = "";
    },
    finds: [
      ["warning", CONSTRAINT, /match\.namespaceSelector looks at signed/],
      ["error", "namespaces", /^default: no constraint/],
    ],
  },
  {
    name: "a constraint that one process does not enforce",
    change: (cluster) => (constraint(cluster).status.byPod[1].enforced = false),
    finds: [["error", CONSTRAINT, /is not enforced as it is by gatekeeper-audit/]],
  },
  {
    name: "a constraint that nobody enforces",
    change: (cluster) => delete constraint(cluster).status,
    finds: [["error", CONSTRAINT, /no process of Gatekeeper/]],
  },
  {
    name: "a constraint that Gatekeeper refuses",
    change: (cluster) => (constraint(cluster).status.byPod[0].errors = [{ message: "bad match" }]),
    finds: [["error", CONSTRAINT, /Gatekeeper refuses it: bad match/]],
  },
  {
    name: "an exemption that has ended",
    change: (cluster) =>
      constraint(cluster).spec.parameters.rules.unshift({
        images: ["registry.example/old/*"],
        exempt: { reason: "migration", until: "2026-11-20" },
      }),
    finds: [["warning", CONSTRAINT, /exemption of registry\.example\/old\/\* ended 2026-11-20/]],
  },
  {
    name: "an exemption without an end",
    change: (cluster) =>
      constraint(cluster).spec.parameters.rules.unshift({
        images: ["registry.example/old/*"],
        exempt: { reason: "upstream" },
      }),
    finds: [["warning", CONSTRAINT, /has no end \("upstream"\)/]],
  },
  {
    name: "an exemption of everything",
    change: (cluster) =>
      (constraint(cluster).spec.parameters.rules = [
        { images: ["*"], exempt: { reason: "later", until: "2026-11-21" } },
      ]),
    finds: [["error", CONSTRAINT, /exempts every image/]],
  },
  {
    name: "a level that only notes what fails",
    change: (cluster) => (constraint(cluster).spec.parameters.rules[0].level = "audit"),
    finds: [["warning", CONSTRAINT, /level audit for \*/]],
  },
  {
    name: "images that no rule names",
    change: (cluster) => (constraint(cluster).spec.parameters.unmatched = "allow"),
    finds: [["error", CONSTRAINT, /unmatched is allow/]],
  },
  {
    name: "tags that nothing pins",
    change: (cluster) => (cluster["assign"] = []),
    finds: [["warning", "tags", /nothing pins them/]],
  },
  {
    name: "tags that nobody is called to pin",
    change: (cluster) => (cluster["mutatingwebhookconfigurations"] = []),
    finds: [["warning", "tags", /there is no webhook mutation\.gatekeeper\.sh/]],
  },
  {
    name: "tags that there is no time to pin, as Gatekeeper is installed",
    change: (cluster) => (mutation(cluster).timeoutSeconds = 1),
    finds: [["warning", "tags", /timeoutSeconds \(1\) is not above .* notation-digest \(1\)/]],
  },
];

/** What the rules say of a cluster whose API sends these objects. */
async function findingsOf(
  cluster: RawCluster,
  {
    handshake = { kind: "accepted" },
    answers = {},
  }: {
    readonly handshake?: Handshake;
    readonly answers?: Readonly<Record<string, ApiAnswer>>;
  } = {},
): Promise<readonly Finding[]> {
  return clusterFindings(
    await observe({
      api: {
        async send({ path }) {
          const plural = /\/([a-z0-9]+)\?/.exec(path)?.[1] ?? "";
          const items = cluster[plural] ?? [];
          return answers[plural] ?? { kind: "ok", body: { metadata: {}, items } };
        },
      },
      handshake: async () => handshake,
      gatekeeperNamespace: "gatekeeper-system",
      deadlineMs: 1800,
      now: NOW,
    }),
  );
}

const weak = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ level }) => level !== "ok");

test("of a cluster as docs/gatekeeper.md wants it nothing is found but what is well", async () => {
  const findings = await findingsOf(wellSetCluster());
  assert.deepEqual(weak(findings), []);
  assert.deepEqual(
    findings.map(({ subject }) => subject),
    [
      WEBHOOK,
      "check-ignore-label.gatekeeper.sh",
      MANAGER,
      "gatekeeper-audit",
      "Provider notation",
      "Provider notation-digest",
      "ConstraintTemplate k8ssignedimages",
      CONSTRAINT,
      `${CONSTRAINT}-system`,
      "namespaces",
      "tags",
    ],
  );
});

for (const { name, change, finds } of WEAKNESSES) {
  test(`named with a remedy: ${name}`, async () => {
    const cluster = wellSetCluster();
    change(cluster);
    const found = weak(await findingsOf(cluster));
    assert.deepEqual(
      found.map(({ level, subject }) => [level, subject]),
      finds.map(([level, subject]) => [level, subject]),
      JSON.stringify(found),
    );
    for (const [index, [, , says]] of finds.entries()) {
      assert.match(found[index]?.sentence ?? "", says);
      assert.ok(found[index]?.remedy, found[index]?.sentence ?? "");
    }
  });
}

test("a digest that every refusing constraint demands needs nobody to pin it", async () => {
  const cluster = wellSetCluster();
  cluster["assign"] = [];
  constraint(cluster).spec.parameters.requireDigest = true;
  assert.deepEqual(weak(await findingsOf(cluster)), []);
});

for (const { handshake, finds } of [
  {
    handshake: { kind: "refused", why: "SELF_SIGNED_CERT_IN_CHAIN" },
    finds: [
      ["error", "Provider notation"],
      ["error", "Provider notation-digest"],
    ],
  },
  { handshake: { kind: "unreachable", why: "ENOTFOUND" }, finds: [] },
] as const) {
  test(`a handshake that is ${handshake.kind} is ${finds.length === 0 ? "no finding" : "named"}`, async () => {
    const found = weak(await findingsOf(wellSetCluster(), { handshake }));
    assert.deepEqual(
      found.map(({ level, subject }) => [level, subject]),
      finds,
    );
  });
}

const KIND = "configs.config.gatekeeper.sh";
const refused = (status: number): ApiAnswer => ({
  kind: "refused",
  status,
  reason: "",
  message: "",
});
const cases: readonly {
  readonly name: string;
  readonly answer: ApiAnswer;
  readonly level: Finding["level"];
}[] = [
  { name: "may not be listed", answer: refused(403), level: "warning" },
  { name: "does not exist", answer: refused(404), level: "error" },
  { name: "cannot be listed now", answer: refused(500), level: "warning" },
  {
    name: "is not answered for",
    answer: { kind: "unreachable", problem: "ECONNRESET" },
    level: "warning",
  },
  { name: "is no list", answer: { kind: "ok", body: {} }, level: "warning" },
  {
    name: "is of an unknown form",
    answer: { kind: "ok", body: { items: [{ metadata: {} }] } },
    level: "warning",
  },
];
for (const { name, answer, level } of cases) {
  test(`a kind that ${name} is a finding, and the others are looked at`, async () => {
    const cluster = wellSetCluster();
    review(cluster).failurePolicy = "Ignore";
    const found = weak(await findingsOf(cluster, { answers: { configs: answer } }));
    assert.deepEqual(
      found.map(({ level, subject }) => [level, subject]),
      [
        [level, KIND],
        ["error", WEBHOOK],
      ],
    );
  });
}

for (const plural of ["validatingwebhookconfigurations", "configs", "k8ssignedimages"]) {
  test(`without the right to list ${plural} no namespace is called well`, async () => {
    const findings = await findingsOf(wellSetCluster(), { answers: { [plural]: refused(403) } });
    assert.ok(findings.every(({ level, subject }) => level !== "ok" || subject !== "namespaces"));
    assert.deepEqual(
      weak(findings).map(({ level }) => level),
      ["warning"],
    );
  });
}

test("where nothing is reviewed no namespace is called well", async () => {
  const cluster = wellSetCluster();
  first(cluster["validatingwebhookconfigurations"]).webhooks.shift();
  const findings = await findingsOf(cluster);
  assert.ok(findings.every(({ subject }) => subject !== "namespaces"));
});

test("a cluster that shows nothing is called well in nothing", async () => {
  const answers = Object.fromEntries(
    Object.keys(wellSetCluster()).map((plural) => [plural, refused(403)]),
  );
  const findings = await findingsOf({}, { answers });
  assert.deepEqual([...new Set(findings.map(({ level }) => level))], ["warning"]);
  assert.equal(findings.length, Object.keys(answers).length);
});

test("every page of a list is read", async () => {
  const cluster = wellSetCluster();
  const asked: string[] = [];
  const all = cluster["namespaces"] ?? [];
  const observed = await observe({
    api: {
      async send({ path }) {
        if (!path.startsWith("/api/v1/namespaces?")) return refused(403);
        asked.push(path);
        const at = Number(new URL(path, "https://api.example").searchParams.get("continue") ?? 0);
        const next = at + 2 < all.length ? { continue: String(at + 2) } : {};
        return { kind: "ok", body: { metadata: next, items: all.slice(at, at + 2) } };
      },
    },
    handshake: async () => ({ kind: "accepted" }),
    gatekeeperNamespace: "gatekeeper-system",
    deadlineMs: 1800,
    now: NOW,
  });
  assert.equal(Array.isArray(observed.namespaces) && observed.namespaces.length, all.length);
  assert.equal(asked.length, 3);
});
