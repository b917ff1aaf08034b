import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import {
  fails,
  HANGS,
  HANGS_STUBBORNLY,
  LEAVES_A_CHILD,
  logsFailed,
  SUCCEEDS,
  TELLS_WHAT_IT_KNOWS,
  warns,
} from "../../testing/notation/behaviours.ts";
import { createFakeNotation, type FakeNotation } from "../../testing/notation/fake-notation.ts";
import { isRunning, until } from "../../testing/notation/processes.ts";
import { until as waitedFor } from "../../testing/verify/demand.ts";
import {
  createSnapshot,
  type FixedSnapshot,
  type SnapshotOptions,
} from "../../testing/notation/trust-snapshot.ts";
import { digestOf } from "../image/digest.ts";
import {
  createNotation,
  type Notation,
  type NotationEvent,
  type NotationOptions,
} from "./judge.ts";
import type { Judgement, Question } from "./judgement.ts";

const never = new AbortController().signal;
const UNTRUSTED = "the signature's certificate chain does not contain any trusted certificate";
const STRANGER =
  'signing certificate from the digital signature does not match the X.509 trusted identities [map["C":"US"]] defined in the trust policy "p"';
const REVOKED = 'signing certificate with subject "CN=a" is revoked';
const PLUGIN = "com.example.plugin";

/** One question about nothing in particular: the fakes do not look at it. */
function questionOf(
  trust: FixedSnapshot,
  { plugin, ...changes }: Partial<Question> & { readonly plugin?: string } = {},
): Question {
  const bytes = Buffer.from("{}");
  return {
    repository: { registry: "registry.test:5000", repository: "team/app" },
    subject: {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: digestOf("s"),
      size: 1,
    },
    envelope: {
      kind: "envelope",
      signature: digestOf("signature"),
      mediaType: "application/jose+json",
      bytes,
      claims: {
        signer: { scheme: "notary.x509", subject: "CN=a" },
        ...(plugin !== undefined && { plugin }),
      },
    },
    trust,
    statement: trust.only,
    level: undefined,
    ...changes,
  };
}

interface Fixture {
  readonly notation: Notation;
  readonly fake: FakeNotation;
  readonly runtime: string;
  readonly events: readonly NotationEvent[];
  /** A snapshot that is removed with the test. */
  readonly trust: (options?: Partial<SnapshotOptions>) => FixedSnapshot;
  /** Asks one question under a strict policy. */
  readonly ask: (signal?: AbortSignal) => Promise<Judgement>;
  /** Layouts that exist now. */
  readonly layouts: () => readonly string[];
  /** Waits until the fake wrote its process numbers. */
  readonly pids: () => Promise<readonly number[]>;
}

async function fixture(
  t: TestContext,
  verify: string = SUCCEEDS,
  options: Partial<NotationOptions> = {},
): Promise<Fixture> {
  const fake = await createFakeNotation({ verify });
  t.after(() => fake[Symbol.asyncDispose]());
  const runtime = mkdtempSync(join(tmpdir(), "runtime-"));
  t.after(() => rmSync(runtime, { recursive: true, force: true }));
  const events: NotationEvent[] = [];
  const notation = await createNotation({
    binary: fake.path,
    plugins: [PLUGIN],
    pluginConfig: [],
    runtimeDirectory: runtime,
    cacheDirectory: runtime,
    concurrency: 2,
    maxWaiting: 10,
    graceMs: 20,
    outputBytes: 65_536,
    now: () => performance.now(),
    observe: (event) => events.push(event),
    ...options,
  });
  t.after(() => notation.close());
  const trust = (policy: Partial<SnapshotOptions> = {}) => {
    const made = createSnapshot({ level: "strict", ...policy });
    t.after(() => made[Symbol.dispose]());
    return made;
  };
  const strict = trust();
  return {
    notation,
    fake,
    runtime,
    events,
    trust,
    ask: (signal = never) => notation.judge(questionOf(strict), signal),
    layouts: () => readdirSync(join(runtime, "layouts")),
    async pids() {
      await until(() => fake.read("pids") !== "");
      return fake.read("pids").trim().split(" ").map(Number);
    },
  };
}

const codeOf = (judgement: Judgement) =>
  judgement.kind === "passed" ? "passed" : judgement.reason;

test("what Notation verified is passed, in one run", async (t) => {
  const { ask, fake } = await fixture(t);
  assert.deepEqual(await ask(), { kind: "passed", warnings: [] });
  assert.equal(fake.runs(), 1);
});

test("T-35 the child's arguments are the known ones, and the reference stands after --", async (t) => {
  const { ask, fake } = await fixture(t, TELLS_WHAT_IT_KNOWS);
  assert.equal(codeOf(await ask()), "passed");
  const [, program, ...args] = fake.read("cmdline").split("\0");
  assert.equal(program, fake.path);
  assert.deepEqual(args, [
    "verify",
    "-v",
    "--max-signatures",
    "1",
    "--oci-layout",
    "--scope",
    "registry.test:5000/team/app",
    "--",
    `.@${digestOf("s")}`,
    "",
  ]);
});

test("T-34 the child knows no secret of ours: its environment has the known names and its arguments no value of ours", async (t) => {
  const canaries = ["AWS_SECRET_ACCESS_KEY", "NOTATION_PASSWORD", "HOME", "PATH", "CANARY"];
  for (const name of canaries) {
    const before = process.env[name];
    process.env[name] = `${before ?? ""}:canary-secret`;
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
  const { ask, fake, runtime } = await fixture(t, TELLS_WHAT_IT_KNOWS);
  assert.equal(codeOf(await ask()), "passed");
  const names = fake
    .read("environ")
    .split("\0")
    .map((entry) => entry.split("=")[0])
    .filter((name) => name !== "");
  assert.deepEqual(
    new Set(names),
    new Set(["NOTATION_CACHE", "NOTATION_CONFIG", "NOTATION_EXPERIMENTAL", "TMPDIR"]),
  );
  assert.doesNotMatch(fake.read("environ") + fake.read("cmdline"), /canary/);
  // One mount for the cache and temporary files (CVE-2024-51491).
  assert.match(fake.read("environ"), new RegExp(`TMPDIR=${runtime}/layouts/`));
  assert.match(fake.read("environ"), new RegExp(`NOTATION_CACHE=${runtime}`));
});

test("the working directory is a layout with the one envelope, gone afterwards", async (t) => {
  const { ask, fake, runtime, layouts } = await fixture(t, TELLS_WHAT_IT_KNOWS);
  await ask();
  assert.ok(fake.read("cwd").startsWith(join(runtime, "layouts")));
  assert.deepEqual(fake.read("layout").trim().split("\n"), ["blobs", "index.json", "oci-layout"]);
  assert.deepEqual(layouts(), []);
});

test("a run whose envelope names a plugin, and no other, gets plugins, their configuration and their environment", async (t) => {
  const { notation, fake, trust } = await fixture(t, TELLS_WHAT_IT_KNOWS, {
    pluginDirectory: "/opt/plugins",
    pluginConfig: [["aws-region", "eu-west-1"]],
    pluginEnvironment: () =>
      Promise.resolve({ AWS_SECRET_ACCESS_KEY: "theirs", NOTATION_CONFIG: "/elsewhere" }),
  });
  const policy = trust();
  assert.equal(codeOf(await notation.judge(questionOf(policy), never)), "passed");
  assert.doesNotMatch(fake.read("environ") + fake.read("cmdline"), /theirs|plugin|AWS|LIBEXEC/);
  const named = questionOf(policy, { plugin: PLUGIN });
  assert.equal(codeOf(await notation.judge(named, never)), "passed");
  const environ = fake.read("environ").split("\0");
  assert.ok(environ.includes("NOTATION_LIBEXEC=/opt/plugins"));
  assert.ok(environ.includes("AWS_SECRET_ACCESS_KEY=theirs"));
  assert.ok(!environ.includes("NOTATION_CONFIG=/elsewhere"));
  assert.match(fake.read("cmdline"), /\0--plugin-config\0aws-region=eu-west-1\0--\0/);
  assert.doesNotMatch(fake.read("cmdline"), /theirs/);
});

test("T-25 an envelope that names another plugin is PLUGIN_NOT_ALLOWED, and nothing is started", async (t) => {
  const { notation, fake, trust } = await fixture(t);
  for (const plugin of ["com.example.other", "../x", `${PLUGIN}\n`, "", "constructor"]) {
    const judgement = await notation.judge(questionOf(trust(), { plugin }), never);
    assert.equal(codeOf(judgement), "PLUGIN_NOT_ALLOWED");
  }
  assert.equal(fake.runs(), 0);
});

const endings: readonly { name: string; verify: string; want: string }[] = [
  {
    name: "T-06 a success line for another digest",
    verify: `echo "Successfully verified signature for .@sha256:${"0".repeat(64)}"`,
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 the text of level skip",
    verify: 'echo "Trust policy is configured to skip signature verification for $reference"',
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 success on stderr",
    verify: 'echo "Successfully verified signature for $reference" >&2',
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 a crash after the success line",
    verify: 'echo "Successfully verified signature for $reference"; kill -SEGV $$',
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 exit code 1 after the success line",
    verify: 'echo "Successfully verified signature for $reference"; exit 1',
    want: "NOTATION_FAILED",
  },
  {
    name: "T-07 a success line without its end",
    verify: 'printf "Successfully verified signature for $reference"',
    want: "NOTATION_FAILED",
  },
  {
    name: "a warning of a check that the policy enforces",
    verify: warns("authenticity", UNTRUSTED),
    want: "NOTATION_FAILED",
  },
  { name: "a known reason", verify: fails(UNTRUSTED), want: "UNTRUSTED_SIGNER" },
  { name: "an unknown reason", verify: fails("what is this"), want: "NOTATION_FAILED" },
  { name: "F-22 SIGSEGV", verify: "kill -SEGV $$", want: "NOTATION_FAILED" },
  { name: "F-22 SIGABRT", verify: "kill -ABRT $$", want: "NOTATION_FAILED" },
  {
    name: "F-22 a panic",
    verify: "echo 'panic: runtime error: index out of range' >&2; exit 2",
    want: "NOTATION_FAILED",
  },
  { name: "F-22 exit code 137", verify: "exit 137", want: "NOTATION_FAILED" },
  { name: "F-22 SIGKILL of another", verify: "kill -KILL $$", want: "NOTATION_FAILED" },
  { name: "F-24 garbage", verify: "head -c 1000 /dev/urandom; exit 0", want: "NOTATION_FAILED" },
  { name: "F-25 endless stdout", verify: "yes", want: "NOTATION_FAILED" },
  { name: "F-25 endless stderr", verify: "yes >&2", want: "NOTATION_FAILED" },
  {
    name: "F-25 a gibibyte after the success line",
    verify: 'echo "Successfully verified signature for $reference"; head -c 1073741824 /dev/zero',
    want: "NOTATION_FAILED",
  },
  { name: "F-23 a child that is left behind", verify: LEAVES_A_CHILD, want: "passed" },
];
for (const { name, verify, want } of endings) {
  test(`${name}: ${want}, and nothing is left`, async (t) => {
    const { ask, layouts, fake } = await fixture(t, verify);
    assert.equal(codeOf(await ask()), want);
    assert.deepEqual(layouts(), []);
    const pids = fake.read("pids").trim().split(" ").map(Number);
    await until(() => !pids.some((pid) => pid > 0 && isRunning(pid)));
  });
}

for (const [name, verify] of [
  ["that Ctrl-C ends", HANGS],
  ["that ignores signals, with a child that holds the pipes", HANGS_STUBBORNLY],
] as const) {
  test(`F-21 a run ${name} is TIMEOUT at the deadline; its place is free, its group and layout are gone`, async (t) => {
    const { ask, fake, layouts, pids } = await fixture(t, verify, { concurrency: 1 });
    const deadline = new AbortController();
    const asked = ask(deadline.signal);
    const group = await pids();
    assert.equal(layouts().length, 1);
    deadline.abort();
    assert.equal(codeOf(await asked), "TIMEOUT");
    assert.deepEqual(layouts(), []);
    await until(() => !group.some(isRunning));
    fake.behave({});
    assert.equal(codeOf(await ask()), "passed");
  });
}

// The program answers by the form of the policy that it is shown, and notes which it was.
const byForm = (forms: Readonly<Record<string, string>>): string =>
  [
    'form=$(cat "$NOTATION_CONFIG/form"); echo "$form" >> "$here/forms"',
    'case "$form" in',
    ...Object.entries(forms).map(([form, verify]) => `${form})\n${verify}\n;;`),
    "esac",
  ].join("\n");

const unauthentic = warns("authenticity", UNTRUSTED);
const steps: readonly {
  name: string;
  policy: SnapshotOptions;
  level?: "strict" | "permissive" | "audit";
  verify: Readonly<Record<string, string>>;
  forms: readonly string[];
  want: string;
}[] = [
  {
    name: "strict",
    policy: { level: "strict" },
    verify: { whole: fails(UNTRUSTED) },
    forms: ["whole"],
    want: "UNTRUSTED_SIGNER",
  },
  {
    name: "permissive",
    policy: { level: "permissive" },
    verify: { whole: warns("revocation", REVOKED) },
    forms: ["whole"],
    want: "passed: revocation",
  },
  {
    name: "audit of a trusted signer",
    policy: { level: "audit" },
    verify: { authentic: SUCCEEDS },
    forms: ["authentic"],
    want: "passed: ",
  },
  {
    name: "audit of a trusted signer whose certificate is revoked",
    policy: { level: "audit" },
    verify: { authentic: warns("revocation", REVOKED) },
    forms: ["authentic"],
    want: "passed: revocation",
  },
  {
    name: "audit of an untrusted signer",
    policy: { level: "audit" },
    verify: { authentic: fails(UNTRUSTED), unrevoked: unauthentic },
    forms: ["authentic", "unrevoked"],
    want: "passed: authenticity",
  },
  {
    name: "audit of a wrong identity",
    policy: { level: "audit" },
    verify: { authentic: fails(STRANGER), unrevoked: warns("authenticity", STRANGER) },
    forms: ["authentic", "unrevoked"],
    want: "passed: authenticity",
  },
  {
    name: "audit of what was changed",
    policy: { level: "audit" },
    verify: { authentic: fails("content descriptor mismatch") },
    forms: ["authentic"],
    want: "TAMPERED",
  },
  {
    name: "audit of an untrusted signer of something else",
    policy: { level: "audit" },
    verify: { authentic: fails(UNTRUSTED), unrevoked: fails("content descriptor mismatch") },
    forms: ["authentic", "unrevoked"],
    want: "TAMPERED",
  },
  {
    name: "audit that fails in a way that is not known",
    policy: { level: "audit" },
    verify: { authentic: "exit 1" },
    forms: ["authentic"],
    want: "NOTATION_FAILED",
  },
  {
    name: "audit that enforces revocation, of a revoked certificate",
    policy: { level: "audit", override: { revocation: "enforce" } },
    verify: { authentic: fails(REVOKED) },
    forms: ["authentic"],
    want: "REVOKED",
  },
  {
    name: "audit without revocation",
    policy: { level: "audit", override: { revocation: "skip" } },
    verify: { whole: unauthentic },
    forms: ["whole"],
    want: "passed: authenticity",
  },
  {
    name: "audit that enforces authenticity",
    policy: { level: "audit", override: { authenticity: "enforce" } },
    verify: { whole: fails(UNTRUSTED) },
    forms: ["whole"],
    want: "UNTRUSTED_SIGNER",
  },
  {
    name: "permissive that only logs authenticity",
    policy: { level: "permissive", override: { authenticity: "log" } },
    verify: { authentic: SUCCEEDS },
    forms: ["authentic"],
    want: "passed: ",
  },
  {
    name: "strict, asked for as audit",
    policy: { level: "strict" },
    level: "audit",
    verify: { authentic: SUCCEEDS },
    forms: ["authentic"],
    want: "passed: ",
  },
  {
    name: "audit, asked for as strict",
    policy: { level: "audit" },
    level: "strict",
    verify: { whole: fails(UNTRUSTED) },
    forms: ["whole"],
    want: "UNTRUSTED_SIGNER",
  },
  {
    name: "a second run that finds a trusted signer, whose revocation nobody asked for,",
    policy: { level: "audit" },
    verify: { authentic: fails(UNTRUSTED), unrevoked: SUCCEEDS },
    forms: ["authentic", "unrevoked"],
    want: "NOTATION_FAILED",
  },
  {
    name: "a first run that lets authenticity pass",
    policy: { level: "audit" },
    verify: { authentic: unauthentic },
    forms: ["authentic"],
    want: "NOTATION_FAILED",
  },
  {
    name: "a second run that speaks of revocation",
    policy: { level: "audit" },
    verify: {
      authentic: fails(UNTRUSTED),
      unrevoked: `${logsFailed("revocation", REVOKED)}\n${unauthentic}`,
    },
    forms: ["authentic", "unrevoked"],
    want: "NOTATION_FAILED",
  },
];
for (const { name, policy, level, verify, forms, want } of steps) {
  test(`${name} is judged as ${forms.join(", then ")}: ${want}`, async (t) => {
    const { notation, fake, trust, layouts } = await fixture(t, byForm(verify));
    const snapshot = trust(policy);
    const judgement = await notation.judge(questionOf(snapshot, { level }), never);
    const said =
      judgement.kind === "passed"
        ? `passed: ${judgement.warnings.map(({ check }) => check).join(" ")}`
        : judgement.reason;
    assert.equal(said, want);
    assert.deepEqual(fake.read("forms").trim().split("\n"), forms);
    assert.deepEqual([layouts(), snapshot.opened()], [[], 0]);
  });
}

test("the trust directory stays open until the run has ended, and no longer", async (t) => {
  const { notation, trust, pids } = await fixture(t, HANGS);
  const snapshot = trust();
  const deadline = new AbortController();
  const asked = notation.judge(questionOf(snapshot), deadline.signal);
  await pids();
  assert.equal(snapshot.opened(), 1);
  deadline.abort();
  await asked;
  assert.equal(snapshot.opened(), 0);
});

test("of those that wait for a run, whoever has to be answered first comes first, and what nobody waits for last", async (t) => {
  const { notation, trust } = await fixture(t, SUCCEEDS, { concurrency: 1 });
  const snapshot = trust();
  const judged: string[] = [];
  const ask = async (name: string, changes: Partial<Question>): Promise<void> => {
    assert.equal(codeOf(await notation.judge(questionOf(snapshot, changes), never)), "passed");
    judged.push(name);
  };
  const hour = performance.now() + 3_600_000;
  await Promise.all([
    ask("running", {}),
    ask("nobody", {}),
    ask("later", { demand: waitedFor(hour + 2) }),
    ask("soon", { demand: waitedFor(hour + 1) }),
  ]);
  assert.deepEqual(judged, ["running", "soon", "later", "nobody"]);
});

test("a trust directory that cannot be made is TRUST_UNAVAILABLE, and nothing is started", async (t) => {
  const { notation, fake, trust } = await fixture(t);
  const snapshot = trust();
  const broken: FixedSnapshot = {
    ...snapshot,
    open: () => {
      throw Object.assign(new Error("no space left on /some/path"), { code: "ENOSPC" });
    },
  };
  assert.deepEqual(await notation.judge(questionOf(broken), never), {
    kind: "undecided",
    reason: "TRUST_UNAVAILABLE",
    sentence: "the trust policy could not be laid out (ENOSPC)",
  });
  assert.equal(fake.runs(), 0);
});

test("F-28 a layout that cannot be written is NOTATION_FAILED, and all is well when it can be again", async (t) => {
  const { ask, fake, runtime } = await fixture(t);
  const layouts = join(runtime, "layouts");
  rmSync(layouts, { recursive: true });
  writeFileSync(layouts, "not a directory");
  const judgement = await ask();
  assert.equal(codeOf(judgement), "NOTATION_FAILED");
  assert.ok(judgement.kind === "undecided" && /\(E[A-Z]+\)$/.test(judgement.sentence));
  assert.equal(fake.runs(), 0);
  rmSync(layouts);
  mkdirSync(layouts);
  assert.equal(codeOf(await ask()), "passed");
});

test("F-28 revocation lists are kept, and those that a killed run only half wrote are removed at start", async (t) => {
  const cache = mkdtempSync(join(tmpdir(), "cache-"));
  t.after(() => rmSync(cache, { recursive: true, force: true }));
  const lists = join(cache, "crl");
  mkdirSync(lists);
  writeFileSync(join(lists, "notation-123"), "half a list");
  writeFileSync(join(lists, "a".repeat(64)), "a list");
  await fixture(t, SUCCEEDS, { cacheDirectory: cache });
  assert.deepEqual(readdirSync(lists), ["a".repeat(64)]);
});

test("no more runs at once than there are places; of one more than may wait the least urgent is OVERLOADED", async (t) => {
  const { ask, fake, pids } = await fixture(t, HANGS, { concurrency: 1, maxWaiting: 1 });
  const deadline = new AbortController();
  const running = ask(deadline.signal);
  await pids();
  const oldest = ask();
  const waiting = ask();
  assert.equal(codeOf(await oldest), "OVERLOADED");
  fake.behave({});
  deadline.abort();
  assert.deepEqual([await running, await waiting].map(codeOf), ["TIMEOUT", "passed"]);
  assert.equal(fake.runs(), 2);
});

test("a question that waits when its deadline comes is TIMEOUT at once and never run", async (t) => {
  const { ask, fake, pids, events } = await fixture(t, HANGS, { concurrency: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const running = ask(first.signal);
  await pids();
  const waiting = ask(second.signal);
  second.abort();
  assert.equal(codeOf(await waiting), "TIMEOUT");
  first.abort();
  await running;
  assert.equal(codeOf(await ask(AbortSignal.abort())), "TIMEOUT");
  assert.equal(fake.runs(), 1);
  assert.deepEqual(
    events.map(({ outcome }) => outcome),
    ["TIMEOUT", "TIMEOUT", "TIMEOUT"],
  );
});

test("each judgement is observed with what it cost", async (t) => {
  let clock = 0;
  const { ask, fake, events } = await fixture(t, SUCCEEDS, { now: () => (clock += 1) });
  await ask();
  fake.behave({ verify: fails(UNTRUSTED) });
  await ask();
  assert.deepEqual(
    events.map(({ outcome }) => outcome),
    ["passed", "UNTRUSTED_SIGNER"],
  );
  for (const { durationMs, spawnMs, queueMs } of events) {
    assert.ok(queueMs > 0 && spawnMs > 0 && durationMs > queueMs + spawnMs);
  }
});

test("credentials of a plugin that cannot be had are NOTATION_FAILED, and nothing of the error is said", async (t) => {
  const { notation, fake, trust, layouts } = await fixture(t, SUCCEEDS, {
    pluginEnvironment: () => Promise.reject(new Error("secret of STS")),
  });
  const judgement = await notation.judge(questionOf(trust(), { plugin: PLUGIN }), never);
  assert.deepEqual(judgement, {
    kind: "undecided",
    reason: "NOTATION_FAILED",
    sentence: "the run could not be made",
  });
  assert.deepEqual([fake.runs(), layouts()], [0, []]);
});

test("credentials of a plugin that never come are TIMEOUT at the deadline", async (t) => {
  const asked = Promise.withResolvers<void>();
  const { notation, fake, trust, layouts } = await fixture(t, SUCCEEDS, {
    pluginEnvironment: () => {
      asked.resolve();
      return new Promise(() => undefined);
    },
  });
  const deadline = new AbortController();
  const judged = notation.judge(questionOf(trust(), { plugin: PLUGIN }), deadline.signal);
  await asked.promise;
  deadline.abort();
  assert.equal(codeOf(await judged), "TIMEOUT");
  assert.deepEqual([fake.runs(), layouts()], [0, []]);
});

test("close ends running groups at once, answers everything SHUTTING_DOWN and removes the layouts", async (t) => {
  const { ask, notation, pids, runtime, fake } = await fixture(t, HANGS_STUBBORNLY, {
    concurrency: 1,
    graceMs: 60_000,
  });
  const running = ask();
  const group = await pids();
  const waiting = ask();
  await notation.close();
  await until(() => !group.some(isRunning));
  const judgements = [await running, await waiting, await ask()];
  assert.deepEqual(judgements.map(codeOf), ["SHUTTING_DOWN", "SHUTTING_DOWN", "SHUTTING_DOWN"]);
  assert.equal(existsSync(join(runtime, "layouts")), false);
  assert.equal(fake.runs(), 1);
});

// The binary itself.

test("T-04 a binary that is too old is a state with a reason, and nothing is judged with it", async (t) => {
  const { notation, fake, ask } = await fixture(t);
  fake.behave({ version: "v1.3.1" });
  assert.equal(codeOf(await ask()), "NOTATION_FAILED");
  assert.deepEqual(notation.state(), {
    version: undefined,
    problem: "version 1.3.1 is too old, 1.3.2 or a later 1.x is needed",
  });
  assert.equal(fake.runs(), 0);
  fake.behave({ version: "v1.3.2+unreleased" });
  assert.equal(codeOf(await ask()), "passed");
  assert.deepEqual(notation.state(), { version: "1.3.2", problem: undefined });
});

test("F-20 a binary that is missing at start comes later, without a restart", async (t) => {
  const runtime = mkdtempSync(join(tmpdir(), "runtime-"));
  const { fake, notation, ask } = await fixture(t, SUCCEEDS, {
    binary: join(runtime, "notation-binary"),
  });
  t.after(() => rmSync(runtime, { recursive: true, force: true }));
  assert.deepEqual(notation.state(), { version: undefined, problem: "the binary is missing" });
  assert.equal(codeOf(await ask()), "NOTATION_FAILED");
  symlinkSync(fake.path, join(runtime, "notation-binary"));
  assert.equal(codeOf(await ask()), "passed");
  assert.equal(notation.state().version, "1.3.2");
});

const losses: readonly {
  name: string;
  lose: (path: string) => void;
  restore: (path: string) => void;
  problem: RegExp;
}[] = [
  {
    name: "is moved away",
    lose: (path) => renameSync(path, `${path}.away`),
    restore: (path) => renameSync(`${path}.away`, path),
    problem: /^the binary is missing$/,
  },
  {
    name: "loses its execute bit",
    lose: (path) => chmodSync(path, 0o644),
    restore: (path) => chmodSync(path, 0o755),
    problem: /^the binary cannot be started \(EACCES\)$/,
  },
  {
    name: "becomes a directory",
    lose: (path) => {
      renameSync(path, `${path}.away`);
      mkdirSync(path);
    },
    restore: (path) => {
      rmSync(path, { recursive: true });
      renameSync(`${path}.away`, path);
    },
    problem: /^the binary is missing$/,
  },
  {
    name: "becomes one of another architecture",
    lose: (path) => {
      renameSync(path, `${path}.away`);
      writeFileSync(path, "\u007fELF nothing that runs here", { mode: 0o755 });
    },
    restore: (path) => renameSync(`${path}.away`, path),
    problem: /^the binary (?:cannot be started \(ENOEXEC\)|does not say its version)$/,
  },
];
for (const { name, lose, restore, problem } of losses) {
  test(`F-20 a binary that ${name} is NOTATION_FAILED with a reason, and recovers without a restart`, async (t) => {
    const { fake, notation, ask } = await fixture(t);
    assert.equal(codeOf(await ask()), "passed");
    lose(fake.path);
    assert.equal(codeOf(await ask()), "NOTATION_FAILED");
    assert.match(notation.state().problem ?? "", problem);
    assert.equal(notation.state().version, undefined);
    restore(fake.path);
    assert.equal(codeOf(await ask()), "passed");
    assert.equal(notation.state().version, "1.3.2");
  });
}

test("F-20 a link that is turned to another binary is asked again before it judges", async (t) => {
  const old = await createFakeNotation({ version: "v1.2.0" });
  t.after(() => old[Symbol.asyncDispose]());
  const folder = mkdtempSync(join(tmpdir(), "link-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const link = join(folder, "notation");
  symlinkSync(old.path, link);
  const { fake, notation, ask } = await fixture(t, SUCCEEDS, { binary: link });
  assert.match(notation.state().problem ?? "", /too old/);
  symlinkSync(fake.path, `${link}.new`);
  renameSync(`${link}.new`, link);
  assert.equal(codeOf(await ask()), "passed");
  assert.equal(old.runs(), 0);
});

test("F-26 a check that failed for the moment is made again after a while, although the file is the same", async (t) => {
  let clock = 0;
  const { fake, notation, ask } = await fixture(t, SUCCEEDS, { now: () => clock });
  fake.behave({ version: "unreleased" });
  assert.equal(codeOf(await ask()), "NOTATION_FAILED");
  // The program itself stays as it is.
  writeFileSync(join(fake.directory, "version"), "v1.3.2\n");
  assert.equal(codeOf(await ask()), "NOTATION_FAILED");
  clock += 1_000;
  assert.equal(codeOf(await ask()), "passed");
  assert.equal(notation.state().version, "1.3.2");
});
