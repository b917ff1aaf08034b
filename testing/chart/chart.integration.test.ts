// The chart without a cluster: every scenario in both versions of Helm, what is refused, and what is rendered.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parse } from "yaml";
import type { KubernetesObject } from "../cluster/api.ts";
import { createProviderAuthority } from "../gatekeeper/certificates.ts";
import { ROOT } from "../provider/start.ts";
import { statement } from "../signing/trust.ts";
import {
  CHART,
  copyChart,
  createHelm,
  find,
  HELMS,
  NAMESPACE,
  parseDocuments,
  scenarios,
  type Helm,
} from "./helm.ts";
import type { PodSpec } from "./kubelet.ts";
import { run } from "./run.ts";

const SCENARIOS = await scenarios();
const AUTHORITY = await createProviderAuthority();

/** What every render needs beside somebody who is trusted. */
const BASE = {
  certificates: { mode: "existingSecret", existingSecret: "serving", caBundle: AUTHORITY.ca },
  config: { registries: [{ host: "registry.example" }] },
};

/** The least that renders. */
const LEAST = {
  ...BASE,
  trust: {
    policies: {
      default: {
        version: "1.0",
        trustPolicies: [statement()],
      },
    },
    stores: { ca: { example: { "root.crt": AUTHORITY.ca } } },
  },
};

/** The same with certificates that the provider makes itself, which is what the chart does unless told otherwise. */
const { certificates: _files, ...OWN } = LEAST;

/** Scenarios that say nothing of certificates. */
const OWN_CERTIFICATES = new Set(["defaults", "eks-irsa", "eks-pod-identity"]);

const PROFILE = "arn:aws:signer:eu-central-1:111122223333:/signing-profiles/team_a";
const AWS = { profiles: [PROFILE], root: AUTHORITY.ca };
/** What is refused, by Helm's schema or by a sentence of the chart. */
const REFUSED: readonly {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly says: RegExp;
  /** Over values that trust nobody. */
  readonly trustsNobody?: true;
}[] = [
  { name: "an unknown key", values: { replica: 3 }, says: /'replica' not allowed/ },
  {
    name: "an unknown key of the configuration",
    values: { config: { cache: { life: "5m" } } },
    says: /config\/cache.*'life' not allowed/,
  },
  {
    name: "what the chart decides itself",
    values: { config: { server: { address: "0.0.0.0:9000" } } },
    says: /config\/server.*'address' not allowed/,
  },
  {
    name: "no registry",
    values: { config: { registries: [] } },
    says: /config names no registry that may be asked about images/,
  },
  {
    name: "no registry, and every account",
    values: { config: { registries: [], aws: { accounts: ["*"], regions: ["eu-central-1"] } } },
    says: /config names no registry that may be asked about images/,
  },
  {
    name: "a duration without a unit",
    values: { config: { cache: { verified: "300" } } },
    says: /config\/cache\/verified.*does not match pattern/,
  },
  {
    name: "a number beyond the provider's range",
    values: { config: { server: { maxKeys: 20_000 } } },
    says: /config\/server\/maxKeys.*maximum/,
  },
  { name: "a text for a number", values: { replicas: "3" }, says: /replicas.*want integer/ },
  {
    name: "a digest that is none",
    values: { image: { digest: "sha256:abc" } },
    says: /image\/digest/,
  },
  {
    name: "a private key in a trust store",
    values: {
      trust: {
        stores: { ca: { example: { key: `${AUTHORITY.ca}-----BEGIN PRIVATE KEY-----\n` } } },
      },
    },
    says: /trust\/stores\/ca\/example\/key/,
  },
  {
    name: "Gatekeeper's private key for its authority",
    values: { gatekeeper: { clientCA: { key: "tls.key" } } },
    says: /clientCA\/key/,
  },
  {
    name: "a file of neither kind",
    values: { files: [{ name: "x" }] },
    says: /files\/0/,
  },
  {
    name: "a profile that is no ARN",
    values: { trust: { aws: { profiles: ["team_a"] } } },
    says: /trust\/aws\/profiles\/0/,
  },
  {
    name: "an authority beside the provider's own",
    values: { certificates: { mode: "selfManaged", existingSecret: "" } },
    says: /caBundle has no effect with certificates\.mode selfManaged/,
  },
  {
    name: "existingSecret without a name",
    values: { certificates: { existingSecret: "" } },
    says: /needs certificates\.existingSecret/,
  },
  {
    name: "a Secret beside cert-manager",
    values: { certificates: { mode: "certManager" } },
    says: /has no effect unless certificates\.mode is existingSecret/,
  },
  {
    name: "an authority that nobody knows",
    values: { certificates: { caBundle: "" } },
    says: /give certificates\.caBundle, or put ca\.crt into Secret serving/,
  },
  {
    name: "another namespace than Gatekeeper's",
    values: { gatekeeper: { namespace: "elsewhere" } },
    says: /A Secret cannot be mounted from another namespace/,
  },
  {
    name: "a deadline at the Provider's time-out",
    values: { config: { server: { deadline: "2000ms" } } },
    says: /config\.server\.deadline \(2000ms\) has to be below/,
  },
  {
    name: "one name for both Providers",
    values: { providers: { mutation: { name: "notation" } } },
    says: /have to differ: they are two objects/,
  },
  {
    name: "nobody who is trusted",
    values: {},
    trustsNobody: true,
    says: /Nobody is trusted/,
  },
  {
    name: "two sources of trust",
    values: {
      trust: {
        existingConfigMap: { name: "trust", items: [{ key: "a", path: "trustpolicy.json" }] },
      },
    },
    says: /stands in the place of/,
  },
  {
    name: "two policies named default",
    values: { trust: { aws: AWS } },
    says: /makes the policy named default/,
  },
  {
    name: "two roots of AWS Signer",
    values: {
      trust: {
        aws: AWS,
        stores: { signingAuthority: { "aws-signer-ts": { "x.crt": AUTHORITY.ca } } },
      },
    },
    trustsNobody: true,
    says: /leave it out of trust\.stores/,
  },
  {
    name: "AWS Signer's root for no profile",
    values: { trust: { aws: { root: AUTHORITY.ca } } },
    says: /trust\.aws\.root has no effect without trust\.aws\.profiles/,
  },
  {
    name: "AWS Signer without its root",
    values: { trust: { aws: { profiles: [PROFILE] } } },
    trustsNobody: true,
    says: /needs trust\.aws\.root/,
  },
  {
    name: "AWS Signer with somebody else's root",
    values: { trust: { aws: AWS } },
    trustsNobody: true,
    says: /is not one of AWS Signer's roots/,
  },
  {
    name: "a registry's file that nothing mounts",
    values: { config: { registries: [{ host: "registry.example", ca: "/files/ca/ca.crt" }] } },
    says: /config\.registries\[0\] names the file \/files\/ca\/ca\.crt, which nothing mounts/,
  },
  {
    name: "a file for AWS's endpoints that nothing mounts",
    values: { config: { aws: { ca: "/etc/ca.crt" } } },
    says: /config\.aws\.ca names the file \/etc\/ca\.crt, which nothing mounts/,
  },
  {
    name: "a token of ECR for no account",
    values: {
      config: { registries: [{ host: "registry.example", credentials: { aws: true } }] },
    },
    says: /config\.registries\[0\] takes its token from AWS, but config\.aws\.accounts names no account/,
  },
  {
    name: "two files of one name",
    values: {
      files: [
        { name: "x", secret: "a" },
        { name: "x", configMap: "b" },
      ],
    },
    says: /two entries named x/,
  },
  {
    name: "too little memory for the runs of Notation",
    values: { config: { notation: { concurrency: 32 } } },
    says: /resources\.limits\.memory \(1Gi\) is too little: .* are 2137 MiB/,
  },
  {
    name: "memory in a unit that the chart does not add up",
    values: { resources: { limits: { memory: "1000M" } } },
    says: /resources\/limits\/memory.*does not match pattern/,
  },
  {
    name: "annotations of an account that the chart does not make",
    values: {
      serviceAccount: { create: false, annotations: { "eks.amazonaws.com/role-arn": "x" } },
    },
    says: /serviceAccount\.annotations have no effect unless serviceAccount\.create/,
  },
  ...["", "default"].map((name) => ({
    name: `rights to Secrets for the account of every Pod, named ${JSON.stringify(name)},`,
    values: {
      certificates: { mode: "selfManaged", existingSecret: "", caBundle: "" },
      serviceAccount: { create: false, name },
    },
    says: /default is the account of every Pod that names none/,
  })),
  {
    name: "fewer replicas at most than at least",
    values: { autoscaling: { enabled: true, minReplicas: 7 } },
    says: /minReplicas is above/,
  },
  {
    name: "one port for two listeners",
    values: { ports: { admin: 8443 } },
    says: /ports\.https and ports\.admin have to differ/,
  },
  {
    name: "a test of nothing but an unsigned image",
    values: { test: { unsignedImage: "registry.example/a:v1" } },
    says: /alone proves nothing/,
  },
  {
    name: "a constraint that spares every namespace",
    values: { policy: { constraint: { excludedNamespaces: ["kube-system", "*"] } } },
    says: /excludedNamespaces\/1.*does not match pattern/,
  },
  {
    name: "a misspelt member of a rule, which the API server would drop",
    values: {
      policy: { constraint: { parameters: { rules: [{ images: ["*"], polciy: "prod" }] } } },
    },
    says: /parameters\/rules\/0.*'polciy' not allowed/,
  },
  {
    name: "a misspelt end of an exemption",
    values: {
      policy: {
        constraint: {
          parameters: {
            rules: [{ images: ["*"], exempt: { reason: "x", untill: "2027-01-01" } }],
          },
        },
      },
    },
    says: /rules\/0\/exempt/,
  },
  {
    name: "a label by which Pods are found",
    values: { podLabels: { "app.kubernetes.io/name": "other" } },
    says: /invalid propertyName 'app.kubernetes.io\/name'/,
  },
  {
    name: "a label of the chart's own",
    values: { commonLabels: { "app.kubernetes.io/instance": "other" } },
    says: /invalid propertyName 'app.kubernetes.io\/instance'/,
  },
  {
    name: "the annotation that has Pods replaced when the configuration changes",
    values: { podAnnotations: { "checksum/configuration": "same" } },
    says: /invalid propertyName 'checksum\/configuration'/,
  },
  {
    name: "a tag beside a digest",
    values: { image: { tag: "v1", digest: `sha256:${"a".repeat(64)}` } },
    says: /image\.tag has no effect/,
  },
];

suite("the chart", () => {
  let helm: Helm;
  let base: string;
  let least: string;
  before(async () => {
    helm = await createHelm();
    base = await helm.values(BASE);
    least = await helm.values(LEAST);
  });
  after(async () => await helm[Symbol.asyncDispose]());

  for (const name of HELMS) {
    for (const scenario of SCENARIOS) {
      test(`${name} lints and renders ${scenario.name}, the same bytes each time`, async () => {
        await using own = await createHelm(name);
        const lint = await own.helm(
          "lint",
          "--strict",
          CHART,
          `--namespace=${NAMESPACE}`,
          `--values=${scenario.file}`,
        );
        assert.equal(lint.code, 0, `${lint.stdout}${lint.stderr}`);
        const [first, second] = [
          await own.render([scenario.file]),
          await own.render([scenario.file]),
        ];
        assert.equal(first, second);
        assert.ok(parseDocuments(first).length > 6);
      });
    }
  }

  const said = new Map<object, Promise<string>>();
  /** What Helm says when it refuses; nothing when it does not. */
  const refusalOf = async (row: (typeof REFUSED)[number]): Promise<string> => {
    const ask = async (): Promise<string> => {
      const file = await helm.values(row.values);
      try {
        await helm.render([row.trustsNobody ? base : least, file]);
        return "";
      } catch (error) {
        return (error as Error).message.replaceAll("\n", " ");
      }
    };
    const asked = said.get(row) ?? ask();
    said.set(row, asked);
    return await asked;
  };

  for (const row of REFUSED) {
    test(`T-45 ${row.name} is refused`, async () => assert.match(await refusalOf(row), row.says));
  }

  test("T-45 every sentence with which the chart refuses is seen", async () => {
    const folder = join(CHART, "templates");
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files
        .filter((file) => file.isFile())
        .map(async ({ parentPath, name }) => await readFile(join(parentPath, name), "utf8")),
    );
    const sentences = texts.flatMap((text) =>
      [...text.matchAll(/\bfail \(?(?:printf )?"((?:[^"\\]|\\.)+)"/g)].map(([, own = ""]) => own),
    );
    assert.ok(sentences.length > 20, `${sentences.length} sentences`);
    const refusals: string[] = [];
    for (const row of REFUSED) refusals.push(await refusalOf(row));
    const unseen = sentences.filter(
      (sentence) => !refusals.some((refusal) => refusal.includes(piece(sentence))),
    );
    assert.deepEqual(unseen, []);
  });

  for (const scenario of SCENARIOS) {
    test(`the provider accepts the configuration and the trust of ${scenario.name}`, async (t) => {
      const objects = parseDocuments(await helm.render([scenario.file]));
      const folder = await mkdtemp(join(tmpdir(), "chart-"));
      t.after(async () => await rm(folder, { recursive: true, force: true }));
      const { data } = find(objects, "ConfigMap", "notation-provider") as unknown as {
        readonly data: Readonly<Record<string, string>>;
      };
      await writeTrust(join(folder, "trust"), objects);
      const configuration = join(folder, "provider.yaml");
      const text = data["provider.yaml"] ?? "";
      assert.match(text, /directory: \/trust\n/);
      await writeFile(configuration, text.replace("directory: /trust", "directory: trust"));
      const { code, stdout, stderr } = await run(process.execPath, [
        join(ROOT, "provider/main.ts"),
        "config",
        "check",
        configuration,
      ]);
      assert.equal(code, 0, `${stdout}${stderr}`);
    });
  }

  test("T-33 a token of the API is there for the provider's own certificates alone, and for the provider alone", async () => {
    for (const { name, file } of SCENARIOS) {
      const objects = parseDocuments(await helm.render([file]));
      const isOwn = objects.some(({ kind }) => kind === "ClusterRole");
      assert.equal(isOwn, OWN_CERTIFICATES.has(name), name);
      for (const spec of podSpecs(objects)) {
        assert.equal(spec["automountServiceAccountToken"], false, name);
      }
      const tokens = podSpecs(objects).flatMap(({ volumes = [] }) =>
        volumes.filter((volume) => "projected" in volume),
      );
      assert.equal(tokens.length, isOwn ? 1 : 0, name);
      const rights = objects.filter(({ apiVersion }) => apiVersion.startsWith("rbac."));
      assert.equal(rights.length, isOwn ? 6 : 0, name);
    }
  });

  test("T-33 the provider's own certificates need rights to objects by their names, and to create", async () => {
    const objects = parseDocuments(await helm.render([await helm.values(OWN)]));
    const rulesOf = (kind: string, name: string) => find(objects, kind, name)["rules"];
    const follow = ["get", "watch"];
    assert.deepEqual(rulesOf("Role", "notation-provider"), [
      {
        apiGroups: [""],
        resources: ["secrets"],
        resourceNames: ["notation-provider-certificates"],
        verbs: [...follow, "patch"],
      },
      { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
      { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"] },
    ]);
    assert.deepEqual(rulesOf("Role", "notation-provider-client-ca"), [
      {
        apiGroups: [""],
        resources: ["secrets"],
        resourceNames: ["gatekeeper-webhook-server-cert"],
        verbs: follow,
      },
    ]);
    assert.deepEqual(rulesOf("ClusterRole", "notation-provider"), [
      {
        apiGroups: ["externaldata.gatekeeper.sh"],
        resources: ["providers"],
        resourceNames: ["notation", "notation-digest"],
        verbs: [...follow, "patch"],
      },
    ]);
  });

  test("with the provider's own certificates a Provider begins with an authority that vouches for nobody", async () => {
    const objects = parseDocuments(await helm.render([await helm.values(OWN)]));
    for (const name of ["notation", "notation-digest"]) {
      const { caBundle } = find(objects, "Provider", name)["spec"] as { caBundle: string };
      const placeholder = new X509Certificate(Buffer.from(caBundle, "base64"));
      assert.ok(placeholder.validToDate.getTime() < Date.now());
    }
    assert.ok(!objects.some(({ kind }) => kind === "Certificate"));
  });

  test("the Secret of the provider's own certificates is the chart's, and what is in it is not", async () => {
    const objects = parseDocuments(await helm.render([await helm.values(OWN)]));
    const { metadata, ...rest } = find(objects, "Secret");
    assert.equal(metadata.name, "notation-provider-certificates");
    assert.deepEqual(rest, { apiVersion: "v1", kind: "Secret", type: "Opaque" });
  });

  test("with the provider's own certificates it may be in another namespace than Gatekeeper", async () => {
    const file = await helm.values({ ...OWN, gatekeeper: { namespace: "policy" } });
    const objects = parseDocuments(await helm.render([file]));
    const role = find(objects, "Role", "notation-provider-client-ca");
    assert.equal(role.metadata.namespace, "policy");
    const { data } = find(objects, "ConfigMap", "notation-provider") as unknown as {
      readonly data: Readonly<Record<string, string>>;
    };
    const { certificates, server } = parse(data["provider.yaml"] ?? "") as {
      readonly certificates: { readonly clientCA: object; readonly names: readonly string[] };
      readonly server: object;
    };
    assert.deepEqual(certificates.clientCA, {
      namespace: "policy",
      name: "gatekeeper-webhook-server-cert",
      key: "ca.crt",
    });
    assert.equal(certificates.names[0], "notation-provider.gatekeeper-system");
    assert.ok(!("tls" in server));
  });

  test("T-34 of Gatekeeper's Secret only the authority is mounted, of the provider's own only its pair", async () => {
    const objects = parseDocuments(await helm.render([least]));
    const [spec] = podSpecs(objects);
    const keysOf = (secret: string) =>
      spec?.volumes
        ?.filter((volume) => volume.secret?.secretName === secret)
        .map((volume) => volume.secret?.items?.map(({ key }) => key));
    assert.deepEqual(keysOf("gatekeeper-webhook-server-cert"), [["ca.crt"]]);
    assert.deepEqual(keysOf("serving"), [["tls.crt", "tls.key"]]);
  });

  for (const [name, values, cidrs] of [
    ["by default", {}, ["0.0.0.0/0", "::/0"]],
    [
      "with Pod Identity",
      { serviceAccount: { podIdentity: true } },
      ["0.0.0.0/0", "::/0", "169.254.170.23/32", "fd00:ec2::23/128"],
    ],
    ["without ports", { networkPolicy: { egressPorts: [] } }, []],
    [
      "with certificates of the provider's own, without ports",
      {
        networkPolicy: { egressPorts: [] },
        certificates: { mode: "selfManaged", existingSecret: "", caBundle: "" },
      },
      ["0.0.0.0/0", "::/0"],
    ],
  ] as const) {
    test(`the NetworkPolicy leads out to ${cidrs.join(", ") || "names alone"} ${name}, and in for Gatekeeper alone`, async () => {
      const file = await helm.values(values);
      const { ingress, egress } = find(
        parseDocuments(await helm.render([least, file])),
        "NetworkPolicy",
      )["spec"] as {
        readonly ingress: readonly object[];
        readonly egress: readonly {
          readonly to?: readonly {
            readonly ipBlock: { readonly cidr: string; readonly except?: readonly string[] };
          }[];
        }[];
      };
      const blocks = egress.flatMap(({ to = [] }) => to.map(({ ipBlock }) => ipBlock));
      assert.deepEqual(
        blocks.map(({ cidr }) => cidr),
        cidrs,
      );
      const open = blocks.find(({ cidr }) => cidr === "0.0.0.0/0");
      // The metadata services of the clouds are among these.
      if (open !== undefined) assert.deepEqual(open.except, ["169.254.0.0/16"]);
      assert.deepEqual(ingress, [
        {
          from: [
            {
              namespaceSelector: {
                matchLabels: { "kubernetes.io/metadata.name": "gatekeeper-system" },
              },
              podSelector: { matchLabels: { "gatekeeper.sh/system": "yes" } },
            },
          ],
          ports: [{ port: "https", protocol: "TCP" }],
        },
      ]);
    });
  }

  test("Gatekeeper on the network of its nodes, which no label of a Pod names, may call where it is told of", async () => {
    const nodes = { ipBlock: { cidr: "10.0.0.0/16" } };
    const file = await helm.values({ networkPolicy: { callersFrom: [nodes] } });
    const { spec } = find(parseDocuments(await helm.render([least, file])), "NetworkPolicy");
    const { ingress } = spec as {
      readonly ingress: readonly { readonly from: readonly object[]; readonly ports: object }[];
    };
    assert.equal(ingress.length, 1);
    assert.deepEqual(ingress[0]?.from[1], nodes);
    assert.deepEqual(ingress[0].ports, [{ port: "https", protocol: "TCP" }]);
  });

  test("a change of the configuration restarts the Pods, one of trust does not", async () => {
    const template = async (...files: readonly string[]) =>
      find(parseDocuments(await helm.render([least, ...files])), "Deployment")["spec"];
    const configured = await helm.values({ config: { log: { level: "debug" } } });
    const trusted = await helm.values({
      trust: { stores: { ca: { example: { "root.crt": `${AUTHORITY.ca}# newer\n` } } } },
    });
    assert.notDeepEqual(await template(configured), await template());
    assert.deepEqual(await template(trusted), await template());
  });

  for (const [create, known, want] of [
    ["auto", [], 0],
    ["auto", ["--api-versions=constraints.gatekeeper.sh/v1beta1/K8sSignedImages"], 1],
    ["always", [], 1],
    ["never", ["--api-versions=constraints.gatekeeper.sh/v1beta1/K8sSignedImages"], 0],
  ] as const) {
    test(`with create ${create} and the kind ${known.length > 0 ? "known" : "unknown"} there are ${want} constraints`, async () => {
      const file = await helm.values({ policy: { constraint: { create } } });
      const objects = parseDocuments(await helm.render([least, file], ...known));
      assert.equal(objects.filter(({ kind }) => kind === "K8sSignedImages").length, want);
    });
  }

  test("the Provider objects have the authority that was given, the Service's name and both routes", async () => {
    const objects = parseDocuments(await helm.render([least]));
    const specs = ["notation", "notation-digest"].map(
      (name) => find(objects, "Provider", name)["spec"],
    );
    const caBundle = Buffer.from(AUTHORITY.ca).toString("base64");
    const url = "https://notation-provider.gatekeeper-system:8443";
    assert.deepEqual(specs, [
      { url: `${url}/validate`, timeout: 2, caBundle },
      { url: `${url}/mutate`, timeout: 1, caBundle },
    ]);
  });

  test("without a known authority cert-manager is asked for one, and no Provider object is made", async () => {
    const file = await helm.values({
      certificates: { mode: "certManager", existingSecret: "", caBundle: "" },
    });
    const objects = parseDocuments(await helm.render([least, file]));
    const kinds = objects.map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "Certificate").length, 2);
    assert.equal(kinds.filter((kind) => kind === "Issuer").length, 2);
    assert.ok(!kinds.includes("Provider"));
    const { dnsNames } = find(objects, "Certificate", "notation-provider")["spec"] as {
      readonly dnsNames: readonly string[];
    };
    assert.equal(dnsNames[0], "notation-provider.gatekeeper-system");
  });

  test("AWS Signer in one line makes the policy named default, and a root that is AWS's is taken", async (t) => {
    const chart = await mkdtemp(join(tmpdir(), "chart-"));
    t.after(async () => await rm(chart, { recursive: true, force: true }));
    await copyChart(chart, AUTHORITY.ca);
    await using own = await createHelm("helm", { chart });
    const file = await own.values({ trust: { aws: AWS } });
    const objects = parseDocuments(await own.render([base, file]));
    const { data } = find(objects, "ConfigMap", "notation-provider-trust") as unknown as {
      readonly data: Readonly<Record<string, string>>;
    };
    assert.deepEqual(JSON.parse(data["policy.default.json"] ?? ""), {
      version: "1.0",
      trustPolicies: [
        {
          name: "aws-signer",
          registryScopes: ["*"],
          signatureVerification: { level: "strict" },
          trustStores: ["signingAuthority:aws-signer-ts"],
          trustedIdentities: [PROFILE],
        },
      ],
    });
    assert.equal(
      data["store.signingAuthority.aws-signer-ts.root.crt"]?.trim(),
      AUTHORITY.ca.trim(),
    );
  });

  test("Grafana's sidecar finds the dashboard by its label, and gets the file as it is", async () => {
    const scenario = SCENARIOS.find(({ name }) => name === "eks-irsa");
    const objects = parseDocuments(await helm.render([scenario?.file ?? ""]));
    const { metadata, ...object } = find(objects, "ConfigMap", "notation-provider-dashboard");
    assert.equal(metadata.labels?.["grafana_dashboard"], "1");
    assert.deepEqual(metadata["annotations"], { grafana_folder: "Security" });
    const data = object["data"] as Readonly<Record<string, string>>;
    const file = await readFile(join(CHART, "files/dashboard.json"), "utf8");
    assert.equal(data["notation-provider.json"]?.trim(), file.trim());
  });

  test("every alert asks for metrics that docs/metrics.md has, and has a page in docs/runbooks", async () => {
    const scenario = SCENARIOS.find(({ name }) => name === "eks-irsa");
    const objects = parseDocuments(await helm.render([scenario?.file ?? ""]));
    const { groups } = find(objects, "PrometheusRule")["spec"] as {
      readonly groups: readonly {
        readonly rules: readonly {
          readonly alert: string;
          readonly expr: string;
          readonly annotations: Readonly<Record<string, string>>;
        }[];
      }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    const page = await readFile(join(ROOT, "docs/metrics.md"), "utf8");
    const metrics = new Set([...page.matchAll(/^\| (\w+) +\|/gm)].map(([, name]) => name));
    const pages = rules.map(({ alert, expr, annotations }) => {
      for (const [metric] of expr.matchAll(/\b(?:notation_provider|nodejs)_\w+/g)) {
        assert.ok(metrics.has(metric.replace(/_bucket$/, "")), `${alert}: ${metric}`);
      }
      return annotations["runbook_url"]?.replace("https://runbooks.example/notation/", "");
    });
    assert.deepEqual(new Set(pages), new Set(await readdir(join(ROOT, "docs/runbooks"))));
    assert.equal(new Set(pages).size, rules.length);
    assert.match(
      rules.find(({ alert }) => alert === "NotationProviderSlow")?.expr ?? "",
      /> 0\.8 \* 1\.8$/,
    );
  });

  test("values.yaml explains every key, and has every key of the schema but for those that have a page of their own", async () => {
    const [text, schema] = await Promise.all([
      readFile(join(CHART, "values.yaml"), "utf8"),
      readFile(join(CHART, "values.schema.json"), "utf8"),
    ]);
    const values = parse(text) as Readonly<Record<string, unknown>>;
    const { global: _global, ...properties } = (JSON.parse(schema) as Node).properties ?? {};
    assert.deepEqual(missing({ properties }, values), []);
    const lines = text.split("\n");
    const unexplained = lines.filter(
      (line, index) =>
        /^\s*[a-zA-Z]+:/.test(line) &&
        !/^\s*#/.test(lines[index - 1] ?? "") &&
        // Names that say it all.
        !/^\s+(?:enabled|labels|minReplicas|maxReplicas|rules|requests|limits|cpu|memory|notation|serviceMonitor|prometheusRule|parameters|kubernetes\.io\/os):/.test(
          line,
        ),
    );
    assert.deepEqual(unexplained, []);
  });
});

/** Of a sentence the longest piece between two things that are filled in. */
const piece = (sentence: string): string =>
  sentence.split(/%[a-z]/).toSorted((a, b) => b.length - a.length)[0] ?? "";

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
}

/** Of docs/configuration.md and docs/policies.md. */
const ELSEWHERE: ReadonlySet<string> = new Set(["/config", "/policy/constraint/parameters"]);

/** Keys that a schema has and values have not. */
function missing({ properties = {} }: Node, values: unknown, path = ""): readonly string[] {
  // What may be left out as a whole has no keys in values.yaml: it has an example in its sentence.
  if (typeof values !== "object" || values === null || Object.keys(values).length === 0) return [];
  return Object.entries(properties).flatMap(([name, node]) => {
    const own = `${path}/${name}`;
    if (ELSEWHERE.has(own)) return [];
    if (!Object.hasOwn(values, name)) return [own];
    return missing(node, (values as Readonly<Record<string, unknown>>)[name], own);
  });
}

/** The specs of everything that becomes a Pod. */
function podSpecs(objects: readonly KubernetesObject[]): readonly PodSpec[] {
  return objects.flatMap((object) => {
    if (object.kind === "Pod") return [object["spec"]] as readonly PodSpec[];
    if (object.kind !== "Deployment") return [];
    return [(object["spec"] as { readonly template: { readonly spec: PodSpec } }).template.spec];
  });
}

/** The trust directory as the Pod's volume has it; of a ConfigMap that is made elsewhere a stand-in. */
async function writeTrust(folder: string, objects: readonly KubernetesObject[]): Promise<void> {
  const [spec] = podSpecs(objects);
  const volume = spec?.volumes?.find(({ name }) => name === "trust")?.configMap;
  const map = objects.find(({ metadata }) => metadata.name === volume?.name);
  const data = (map as { readonly data?: Readonly<Record<string, string>> } | undefined)?.data;
  for (const { key, path } of volume?.items ?? []) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    const standIn = path.endsWith(".json")
      ? JSON.stringify(LEAST.trust.policies.default)
      : AUTHORITY.ca;
    await writeFile(file, data === undefined ? standIn : (data[key] ?? ""));
  }
}
