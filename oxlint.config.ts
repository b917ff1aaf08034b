import { defineConfig, type OxlintOverride } from "oxlint";

/** Where one room of `provider/` may import from: the arrows of docs/architecture.md, nothing else. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  image: [],
  verdict: ["image"],
  protocol: ["verdict", "image", "lib"],
  trust: ["verdict", "image", "lib"],
  registry: ["verdict", "image", "lib"],
  evidence: ["registry", "verdict", "image", "lib"],
  notation: ["signer", "evidence", "registry", "trust", "verdict", "image", "lib"],
  aws: ["registry", "verdict", "image", "lib"],
  signer: ["evidence", "verdict", "image", "lib"],
  kubernetes: ["lib"],
  verify: ["notation", "evidence", "registry", "trust", "protocol", "verdict", "image", "lib"],
  telemetry: [
    "verify",
    "kubernetes",
    "notation",
    "aws",
    "signer",
    "registry",
    "trust",
    "verdict",
    "lib",
  ],
  http: ["verify", "telemetry", "protocol", "verdict", "lib"],
  config: ["trust", "image", "lib"],
};

/** Rooms, and single files of rooms, that decide without input or output: no Node module but node:crypto. */
const PURE = [
  "protocol/",
  "image/",
  "verdict/",
  "evidence/envelope",
  "notation/interpret",
  "trust/policy",
  "signer/decide",
  "signer/question",
  // All that is in this folder, which is no room by itself.
  "doctor/cluster/*",
];

/** Dangerous or costly modules, and the only files that may import each. */
const SINGLE_USE: readonly {
  readonly group: readonly string[];
  readonly files: readonly string[];
}[] = [
  {
    group: ["node:child_process"],
    files: ["provider/notation/run.ts", "provider/notation/starter-client.ts"],
  },
  { group: ["undici", "node:dns", "node:dns/*"], files: ["provider/registry/http.ts"] },
  {
    group: ["node:net"],
    files: [
      "provider/signer/socket.ts",
      "provider/registry/http.ts",
      "provider/registry/address.ts",
      "provider/kubernetes/issue.ts",
      "provider/http/server.ts",
      "provider/http/admin.ts",
      "provider/http/listen.ts",
      "provider/http/connections.ts",
      "provider/http/peer.ts",
    ],
  },
  { group: ["@aws-sdk/client-signer"], files: ["provider/signer/client.ts"] },
];

/** The rules of one file pattern: a later block replaces an earlier one, so each carries the whole list. */
function restricted(room: string, file?: string): NonNullable<OxlintOverride["rules"]> {
  const allowed = ROOMS[room];
  const patterns = SINGLE_USE.filter(
    ({ files }) => file === undefined || !files.includes(file),
  ).map((use) => ({
    group: [...use.group],
    message: `only ${use.files.join(" and ")} may import this`,
  }));
  if (allowed !== undefined) {
    const forbidden = [...Object.keys(ROOMS), "testing", "e2e", "bench"].filter(
      (other) => other !== room && !allowed.includes(other),
    );
    patterns.push({
      group: [...forbidden.map((other) => `../**/${other}/**`), "../main.ts", "../serve.ts"],
      message: `provider/${room} may import only: ${allowed.join(", ") || "nothing of another room"}`,
    });
  }
  const path = file?.replace(/^provider\//, "") ?? `${room}/`;
  if (PURE.some((pure) => path.startsWith(pure))) {
    patterns.push({
      group: ["node:*", "node:*/**", "!node:crypto", "!node:buffer"],
      message: "this code decides and does no input or output",
    });
  }
  return { "no-restricted-imports": ["error", { patterns }] };
}

const TESTS = ["**/*.test.ts", "testing/**", "e2e/**", "bench/**", "tools/**"];

const purefiles = PURE.filter((pure) => !pure.endsWith("/")).map((pure) => `provider/${pure}*.ts`);

export default defineConfig({
  options: { typeAware: true },
  plugins: ["typescript", "unicorn", "oxc", "import", "promise", "node"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  ignorePatterns: ["node_modules/**", "tools/bin/**"],
  rules: {
    // Notation runs of one image, pages of one listing and retries are one after the other on purpose.
    "no-await-in-loop": "off",
    // `let x; if (…) x = …` reads better than nested conditionals in a few places.
    "no-shadow": "off",
    // Koa, undici and node:test are classes of others; a class is not a smell of itself.
    "typescript/no-extraneous-class": "error",
    // An exhaustive `switch` that returns in every arm is misread by this rule.
    "consistent-return": "off",
    // Side-effect imports are how reflect-metadata works.
    "import/no-unassigned-import": ["error", { allow: ["reflect-metadata"] }],
    "import/no-cycle": "error",
    "import/no-default-export": "error",
    "typescript/switch-exhaustiveness-check": "error",
    "typescript/no-unsafe-type-assertion": "error",
    "typescript/no-floating-promises": [
      "error",
      {
        allowForKnownSafeCalls: [
          { from: "package", name: ["test", "it", "describe", "suite"], package: "node:test" },
        ],
      },
    ],
    "typescript/no-misused-promises": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    eqeqeq: "error",
    "node/no-process-env": "error",
  },
  overrides: [
    ...Object.keys(ROOMS).map((room) => ({
      files: [`provider/${room}/**`],
      rules: restricted(room),
    })),
    ...[...SINGLE_USE.flatMap(({ files }) => files), ...purefiles].map((file) => ({
      files: [file],
      rules: restricted(file.split("/")[1] ?? "", file),
    })),
    { files: ["provider/config/**"], rules: { "node/no-process-env": "off" } },
    // Tests, doubles and tools start processes, read the environment and reach everywhere.
    {
      files: TESTS,
      rules: {
        "no-restricted-imports": "off",
        "node/no-process-env": "off",
        // Fixtures are built from literals whose shape the test itself fixes.
        "typescript/no-unsafe-type-assertion": "off",
      },
    },
    // Tools that load a configuration by its default export.
    { files: ["*.config.ts"], rules: { "import/no-default-export": "off" } },
  ],
});
