import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "../image/digest.ts";
import { untilAborted } from "../lib/deadline.ts";
import type { Judgement } from "../notation/judgement.ts";
import { rejected, undecided, type AskedLevel } from "../verdict/verdict.ts";
import type { Decision } from "./decision.ts";
import {
  codeOf,
  createWorld,
  never,
  PASSED,
  settle,
  snapshot,
} from "../../testing/verify/world.ts";

const DIGESTS = ["one", "two"].map((name) => digestOf(name));
const REPOSITORIES = ["r.io/a", "r.io/b"] as const;
const LEVELS = [undefined, "strict", "audit"] as const satisfies readonly (
  AskedLevel | undefined
)[];
const POLICIES = ["default", "prod"] as const;
const SAID: readonly Judgement[] = [
  PASSED,
  PASSED,
  rejected("REVOKED", "revoked"),
  undecided("REVOCATION_UNKNOWN", "nobody answers"),
];

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);

/** The first of them mostly, so that walks come back to the same questions: what a cache does wrong shows there. */
const favour = <T>(values: readonly [T, ...T[]]) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(values[0]) },
    { weight: 1, arbitrary: pick(values) },
  );

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      repository: favour(REPOSITORIES),
      target: favour(["v1", "v2", ...DIGESTS]),
      level: favour(LEVELS),
      policy: favour(POLICIES),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("answer" as const),
      // Which of the questions under way is answered, counted from the oldest.
      which: fc.nat(5),
      judgement: pick(SAID),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: pick([1, 400, 900, 1000, 4000, 5000, 25_000, 60_000, 240_000]),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("move" as const),
      repository: favour(REPOSITORIES),
      tag: favour(["v1", "v2"]),
      digest: pick(DIGESTS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("policy" as const),
      policy: favour(POLICIES),
      epoch: pick(["e1", "e2", "e3"]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("notation" as const),
      // Another binary is put in its place, or it is gone until the next one is.
      change: pick(["replaced", "gone"]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("registry" as const), isDown: fc.boolean() }),
  },
);

/** What really was, kept by the world itself and never asked of the verifier. */
interface Record {
  /** Times at which Notation was asked and let a subject pass, by everything that it was asked about. */
  readonly passed: Map<string, number[]>;
  readonly refused: Map<string, number[]>;
  /** What each tag named, from when on. */
  readonly named: Map<string, { readonly from: number; readonly digest: string }[]>;
}

function note(map: Map<string, number[]>, key: string, at: number): void {
  map.set(key, [...(map.get(key) ?? []), at]);
}

/** A world whose every answer waits until the walk gives it. */
function createWalk() {
  const all = createWorld();
  const { time, parts, policies, tags } = all;
  // A version stays the one in force while the binary is absent.
  const seen = { version: parts.version };
  const record: Record = { passed: new Map(), refused: new Map(), named: new Map() };
  const waiting: ((judgement: Judgement) => void)[] = [];
  const wait = async (signal: AbortSignal): Promise<Judgement> => {
    const { promise, resolve } = Promise.withResolvers<Judgement>();
    waiting.push(resolve);
    return await untilAborted(promise, signal);
  };
  parts.network = async (signal) => void (await wait(signal));
  parts.judge = async ({ repository: { registry, repository }, subject, trust, level }, signal) => {
    const began = time.now();
    const version = seen.version;
    const judgement = await wait(signal);
    const about = `${registry}/${repository}@${subject.digest} ${trust.name} ${trust.epoch} ${level} ${version}`;
    if (judgement.kind === "passed") note(record.passed, about, began);
    if (judgement.kind === "rejected") note(record.refused, about, began);
    return judgement;
  };
  const move = (name: string, digest: (typeof DIGESTS)[number]) => {
    tags.set(name, digest);
    const history = record.named.get(name) ?? [];
    history.push({ from: time.now(), digest });
    record.named.set(name, history);
  };
  for (const repository of REPOSITORIES) {
    move(`${repository}:v1`, digestOf("one"));
    move(`${repository}:v2`, digestOf("two"));
  }
  policies.set("prod", snapshot("prod", "e1"));
  return { ...all, seen, record, waiting, move };
}

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Ask = Extract<Step, { kind: "ask" }>;

/** Whether the tag named the digest at any time in the interval. */
function named(record: Record, name: string, digest: string, from: number, to: number): boolean {
  const history = record.named.get(name) ?? [];
  return history.some((entry, index) => {
    const until = history[index + 1]?.from ?? Infinity;
    return entry.digest === digest && entry.from <= to && until >= from;
  });
}

test("T-01 T-19 T-27 F-43 nothing is verified or refused but what Notation said of that digest, repository, policy, level and version, a life ago at most", async () => {
  let verifiedSeen = 0;
  const oneWalk = fc.asyncProperty(
    fc.array(step, { minLength: 5, maxLength: 80, size: "max" }),
    async (steps) => {
      const { verifier, time, parts, policies, seen, record, waiting, move } = createWalk();
      const open: Promise<void>[] = [];
      let replaced = 2;

      /** Called as the decision is handed over, so that the state it is compared with is the one it was given in. */
      const check = (ask: Ask, arrivedAt: number, decision: Decision): void => {
        const { verdict, digest } = decision;
        assert.ok(time.now() - arrivedAt <= 1800 || verdict.kind === "undecided");
        if (verdict.kind !== "verified" && codeOf(verdict) !== "REVOKED") return;
        const current = policies.get(ask.policy);
        assert.ok(typeof current === "object" && digest !== undefined);
        const about = `${ask.repository}@${digest} ${ask.policy} ${current.epoch} ${ask.level} ${seen.version}`;
        const [said, life] =
          verdict.kind === "verified" ? [record.passed, 300_000] : [record.refused, 30_000];
        const times = said.get(about) ?? [];
        assert.ok(
          times.some((at) => time.now() - at < life + 1800),
          `${verdict.kind} without Notation: ${about}`,
        );
        // A cached verdict must not be older than its life when the request arrives.
        assert.ok(times.some((at) => arrivedAt - at < life));
        if (verdict.kind === "verified") {
          verifiedSeen += 1;
          assert.equal(verdict.facts.image, `${ask.repository}@${digest}`);
          assert.equal(verdict.facts.policy, ask.policy);
          assert.equal(verdict.facts.level, ask.level ?? "strict");
        }
        if (DIGESTS.some((one) => one === ask.target)) assert.equal(digest, ask.target);
        else {
          const name = `${ask.repository}:${ask.target}`;
          assert.ok(
            named(record, name, digest, arrivedAt - 5000, time.now()),
            `${name} has not been ${digest} for longer than the tag map's life`,
          );
        }
      };

      const answered = async (ask: Ask, arrivedAt: number, key: string): Promise<void> => {
        const [decision] = await verifier.decide([key], never);
        assert.ok(decision);
        check(ask, arrivedAt, decision);
      };

      for (const current of steps) {
        switch (current.kind) {
          case "ask": {
            const { repository, target, level, policy } = current;
            const image = `${repository}${target.startsWith("sha256") ? "@" : ":"}${target}`;
            const options = `policy=${policy}${level === undefined ? "" : `&level=${level}`}`;
            const arrivedAt = time.now();
            const done = answered(current, arrivedAt, `${image}?${options}`);
            // A failed check ends the walk below and is nobody's unhandled rejection meanwhile.
            done.catch(() => {});
            open.push(done);
            break;
          }
          case "answer":
            waiting.splice(current.which % Math.max(waiting.length, 1), 1)[0]?.(current.judgement);
            break;
          case "pass":
            time.pass(current.ms);
            break;
          case "move":
            move(`${current.repository}:${current.tag}`, current.digest);
            break;
          case "policy":
            policies.set(current.policy, snapshot(current.policy, current.epoch));
            break;
          case "notation":
            if (current.change === "replaced") seen.version = `1.3.${(replaced += 1)}`;
            parts.version = current.change === "replaced" ? seen.version : undefined;
            // A key that nobody has to be asked for: a version that came and went unseen is not told from none.
            await verifier.decide(["r.io/untrusted"], never);
            break;
          case "registry":
            parts.failure = current.isDown ? undecided("REGISTRY_ERROR", "down") : undefined;
            break;
        }
        await settle();
      }
      // At their deadline all are answered, at the work's nothing is left.
      time.pass(1800);
      await Promise.all(open);
      assert.equal(verifier.stats().waiting, 0);
      time.pass(10_000);
      await settle();
      assert.equal(verifier.stats().underWay, 0);
      assert.equal(time.timers.size, 0);
    },
  );
  await fc.assert(oneWalk, { numRuns: 250 });
  assert.ok(verifiedSeen > 0, "walks verify something");
});
