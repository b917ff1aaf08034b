/**
 * A verifier in a world whose every answer waits, and a book of what really was.
 *
 * - `createModel()`: the two
 * - `assertBorneOut(model, question, when, decision)`: by the book, what the verifier says of one image
 * - `endOf(model)`: lets every deadline pass and looks that nothing is left
 */
import assert from "node:assert/strict";
import { digestOf } from "../../provider/image/digest.ts";
import { untilAborted } from "../../provider/lib/deadline.ts";
import type { Judgement } from "../../provider/notation/judgement.ts";
import type { AskedLevel } from "../../provider/verdict/verdict.ts";
import type { Decision } from "../../provider/verify/decision.ts";
import type { Verifier } from "../../provider/verify/verifier.ts";
import { codeOf, createWorld, settle, snapshot } from "./world.ts";

/** Digests by names of images. */
export const IMAGES = new Map(["one", "two"].map((name) => [name, digestOf(name)]));
export const REPOSITORIES = ["r.io/a", "r.io/b"] as const;
export const POLICIES = ["default", "prod"] as const;

// Milliseconds, as the world's verifier has them.
export const DEADLINE = 1800;
const WORK_DEADLINE = 10_000;
const TAG_LIFE = 5000;
const LIVES = { verified: 300_000, rejected: 30_000 } as const;

/** One image of a request. */
export interface Question {
  readonly repository: (typeof REPOSITORIES)[number];
  /** A tag, or the name of an image, whose digest is then asked for. */
  readonly target: string;
  readonly level: AskedLevel | undefined;
  readonly policy: (typeof POLICIES)[number];
}

/** A value that something has from then on. */
interface Since {
  readonly from: number;
  readonly value: string;
}

/** A request that is not answered yet, and who waits for it. */
export interface Request {
  readonly answered: Promise<void>;
  readonly caller: AbortController;
}

/** The world as it is and as it was, which no verifier is asked about. */
export interface Model {
  readonly world: ReturnType<typeof createWorld>;
  /** Commands so far. */
  step: number;
  /** Who waits for the registry, and who for Notation; the oldest first. */
  readonly registry: (() => void)[];
  readonly notation: ((judgement: Judgement) => void)[];
  readonly requests: Request[];
  /** Times at which Notation was asked and let a subject pass, or refused it, by everything that it was asked about. */
  readonly passed: Map<string, number[]>;
  readonly refused: Map<string, number[]>;
  /** What each tag named, from when on, in milliseconds. */
  readonly named: Map<string, readonly Since[]>;
  /** What was in force, from which step on: epochs of policies, and the version of Notation, which stays while there is none. */
  readonly inForce: Map<string, readonly Since[]>;
  /** Answers that are not borne out by this book. */
  readonly wrong: unknown[];
  /** Images that were called verified so far: by a run that was waited for, and by memory. */
  readonly verified: { fresh: number; remembered: number };
}

/** A world whose every answer waits until a command gives it. */
export function createModel(): { readonly model: Model; readonly real: Verifier } {
  const world = createWorld();
  const { time, parts } = world;
  const model: Model = {
    world,
    step: 0,
    registry: [],
    notation: [],
    requests: [],
    passed: new Map(),
    refused: new Map(),
    named: new Map(),
    inForce: new Map(),
    wrong: [],
    verified: { fresh: 0, remembered: 0 },
  };
  parts.network = async (signal) => await turnIn(model.registry, signal);
  parts.judge = async ({ repository: { registry, repository }, subject, trust, level }, signal) => {
    const began = time.now();
    const version = current(model.inForce, "Notation");
    const about = `${registry}/${repository}@${subject.digest} ${trust.name} ${trust.epoch} ${level} ${version}`;
    const judgement = await turnIn(model.notation, signal);
    if (judgement.kind === "passed") note(model.passed, about, began);
    if (judgement.kind === "rejected") note(model.refused, about, began);
    return judgement;
  };
  for (const repository of REPOSITORIES) {
    move(model, `${repository}:v1`, "one");
    move(model, `${repository}:v2`, "two");
  }
  for (const policy of POLICIES) enact(model, policy, "e1");
  enactNotation(model, parts.version);
  return { model, real: world.verifier };
}

/** Waits until somebody answers, or as long as the signal lets it. */
async function turnIn<T>(queue: ((answer: T) => void)[], signal: AbortSignal): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  queue.push(resolve);
  try {
    return await untilAborted(promise, signal);
  } finally {
    const place = queue.indexOf(resolve);
    if (place !== -1) queue.splice(place, 1);
  }
}

/** At their deadline all are answered, at the work's nothing is left. @throws what is not so */
export async function endOf({ world: { time, verifier }, requests, wrong }: Model): Promise<void> {
  time.pass(DEADLINE);
  await Promise.all(requests.map(async ({ answered }) => await answered));
  if (wrong.length > 0) throw wrong[0];
  assert.equal(verifier.stats().waiting, 0);
  time.pass(WORK_DEADLINE);
  await settle();
  assert.equal(verifier.stats().underWay, 0);
  assert.equal(time.timers.size, 0);
}

/**
 * The property: what is said was said by Notation of just that, a life ago at most when it was asked for.
 * @throws AssertionError
 * @param since the step in which the image was decided at the earliest
 */
export function assertBorneOut(
  model: Model,
  { repository, target, level, policy }: Question,
  { arrivedAt, since }: { readonly arrivedAt: number; readonly since: number },
  { verdict, digest, cache }: Decision,
): void {
  if (verdict.kind !== "verified" && codeOf(verdict) !== "REVOKED") return;
  assert.ok(digest !== undefined);
  const [said, life] =
    verdict.kind === "verified" ? [model.passed, LIVES.verified] : [model.refused, LIVES.rejected];
  const grounds = valuesSince(model.inForce, policy, since).flatMap((epoch) =>
    valuesSince(model.inForce, "Notation", since).map((version) => `${epoch} ${level} ${version}`),
  );
  const about = grounds.map((ground) => `${repository}@${digest} ${policy} ${ground}`);
  assert.ok(
    about.some((each) => said.get(each)?.some((at) => arrivedAt - at < life)),
    `${verdict.kind} without a word of Notation that is young enough: ${about.join(", ")}`,
  );
  if (verdict.kind === "verified") {
    const { image, policy: name, level: strictness } = verdict.facts;
    const want = [`${repository}@${digest}`, policy, level ?? "strict"];
    assert.deepEqual([image, name, strictness], want);
    model.verified[cache === "hit" ? "remembered" : "fresh"] += 1;
  }
  const image = IMAGES.get(target);
  const digests =
    image === undefined
      ? valuesSince(model.named, `${repository}:${target}`, arrivedAt - TAG_LIFE)
      : [image];
  assert.ok(
    digests.includes(digest),
    `${target} has not been ${digest} for longer than a tag's life`,
  );
}

/** The key that asks for it. */
export function keyOf({ repository, target, level, policy }: Question): string {
  const digest = IMAGES.get(target);
  const image = digest === undefined ? `${repository}:${target}` : `${repository}@${digest}`;
  return `${image}?policy=${policy}${level === undefined ? "" : `&level=${level}`}`;
}

/** Has a tag name an image from now on. @param name `registry/repository:tag` */
export function move({ named, world: { tags, time } }: Model, name: string, image: string): void {
  const digest = IMAGES.get(image);
  assert.ok(digest !== undefined);
  tags.set(name, digest);
  begin(named, name, { from: time.now(), value: digest });
}

/** Puts a policy in force. */
export function enact({ inForce, step, world }: Model, policy: string, epoch: string): void {
  world.policies.set(policy, snapshot(policy, epoch));
  begin(inForce, policy, { from: step, value: epoch });
}

/** Puts a Notation in the place of the one there is. @param version undefined if there is none any more */
export function enactNotation({ inForce, step, world }: Model, version: string | undefined): void {
  world.parts.version = version;
  if (version !== undefined) begin(inForce, "Notation", { from: step, value: version });
}

function begin(book: Map<string, readonly Since[]>, name: string, since: Since): void {
  book.set(name, [...(book.get(name) ?? []), since]);
}

const current = (book: Model["inForce"], name: string): string | undefined =>
  book.get(name)?.at(-1)?.value;

/** Every value that it had since then, the one that it had at that moment included. */
function valuesSince(book: Model["named"], name: string, since: number): readonly string[] {
  const history = book.get(name) ?? [];
  const ended = history.filter((_, index) => (history[index + 1]?.from ?? Infinity) < since);
  return history.slice(ended.length).map(({ value }) => value);
}

function note(book: Map<string, number[]>, about: string, at: number): void {
  book.set(about, [...(book.get(about) ?? []), at]);
}
