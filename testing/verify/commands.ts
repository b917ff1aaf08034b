/**
 * What may happen to a verifier and around it, one command at a time, so that a list of them that fails is found, made short
 * and printed as sentences.
 *
 * - `commands(most)`: an arbitrary list, to run with fast-check's `asyncModelRun`
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Judgement } from "../../provider/notation/judgement.ts";
import { rejected, undecided, type AskedLevel } from "../../provider/verdict/verdict.ts";
import type { Verifier } from "../../provider/verify/verifier.ts";
import {
  assertBorneOut,
  DEADLINE,
  enact,
  enactNotation,
  IMAGES,
  keyOf,
  move,
  POLICIES,
  REPOSITORIES,
  type Model,
  type Question,
} from "./model.ts";
import { never, PASSED, settle } from "./world.ts";

const TAGS = ["v1", "v2"] as const;
const LEVELS = [undefined, "strict", "audit"] as const satisfies readonly (
  AskedLevel | undefined
)[];
const SAID = {
  passed: PASSED,
  revoked: rejected("REVOKED", "revoked"),
  unknown: undecided("REVOCATION_UNKNOWN", "nobody answers"),
} as const satisfies Readonly<Record<string, Judgement>>;

type Said = keyof typeof SAID;
type Command = fc.AsyncCommand<Model, Verifier>;

/**
 * @param text what it is printed as
 * @param check whether it can happen now
 */
const command = (
  text: string,
  run: (model: Model, real: Verifier) => Promise<void> | void,
  check: (model: Readonly<Model>) => boolean = () => true,
): Command => ({
  check,
  async run(model, real) {
    model.step += 1;
    await run(model, real);
    await settle();
    // The list of commands ends with the one that an answer went wrong in.
    if (model.wrong.length > 0) throw model.wrong[0];
  },
  toString: () => text,
});

function ask(questions: readonly Question[]): Command {
  const asked = new Map(questions.map((each) => [keyOf(each), each]));
  const keys = [...asked.keys()];
  const names = questions.map(
    ({ repository, target, level = "own", policy }) =>
      `${repository} ${target} under ${policy} at ${level} level`,
  );
  return command(`ask for ${names.join(", for ")}`, (model, verifier) => {
    const { time } = model.world;
    const arrivedAt = time.now();
    const { step } = model;
    const caller = new AbortController();
    const answer = async (): Promise<void> => {
      const decisions = await verifier.decide(keys, caller.signal);
      // What is compared is the state in which the answer is given. With others in its request an image may have been
      // decided before that.
      const since = keys.length === 1 ? model.step : step;
      assert.deepEqual(
        decisions.map(({ key }) => key),
        keys,
      );
      assert.ok(
        time.now() - arrivedAt <= DEADLINE ||
          decisions.some(({ verdict }) => verdict.kind === "undecided"),
        "late without a reason",
      );
      for (const decision of decisions) {
        const about = asked.get(decision.key);
        assert.ok(about !== undefined);
        assertBorneOut(model, about, { arrivedAt, since }, decision);
      }
    };
    const answered = answer().catch((error: unknown) => void model.wrong.push(error));
    model.requests.push({ answered, caller });
  });
}

const registryAnswers = (which: number): Command =>
  command(
    `the registry answers no. ${which} of those who wait`,
    ({ registry }) => taken(registry, which)?.(),
    ({ registry }) => registry.length > 0,
  );

const registryAnswersAll: Command = command(
  "the registry answers all who wait",
  ({ registry }) => {
    for (const answer of registry.splice(0)) answer();
  },
  ({ registry }) => registry.length > 0,
);

const notationSays = ([which, said]: readonly [number, Said]): Command =>
  command(
    `Notation says ${said} to no. ${which} of those who wait`,
    ({ notation }) => taken(notation, which)?.(SAID[said]),
    ({ notation }) => notation.length > 0,
  );

const hangUp = (which: number): Command =>
  command(
    `the caller of request no. ${which} hangs up`,
    ({ requests }) => requests[which % requests.length]?.caller.abort(),
    ({ requests }) => requests.length > 0,
  );

const pass = (ms: number): Command => command(`${ms} ms pass`, ({ world }) => world.time.pass(ms));

const moveTag = ([repository, tag, image]: readonly [string, string, string]): Command =>
  command(`${repository}:${tag} becomes image ${image}`, (model) =>
    move(model, `${repository}:${tag}`, image),
  );

const changePolicy = ([policy, epoch]: readonly [string, string]): Command =>
  command(`policy ${policy} becomes ${epoch}`, (model) => enact(model, policy, epoch));

const changeNotation = (version: string | undefined): Command =>
  command(`Notation becomes ${version ?? "none"}`, async (model, verifier) => {
    enactNotation(model, version);
    // A key that nobody has to be asked for: a version that came and went unseen is not told from none.
    await verifier.decide(["r.io/untrusted"], never);
  });

const changeRegistry = (isDown: boolean): Command =>
  command(`the registry is ${isDown ? "down" : "up"}`, ({ world }) => {
    world.parts.failure = isDown ? undecided("REGISTRY_ERROR", "down") : undefined;
  });

/** Takes one of those who wait out of the queue. */
const taken = <T>(queue: T[], which: number): T | undefined =>
  queue.splice(which % queue.length, 1)[0];

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);

/** The first of them mostly, so that commands come back to the same questions: what a cache does wrong shows there. */
const favour = <T>(values: readonly [T, ...T[]]) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(values[0]) },
    { weight: 1, arbitrary: pick(values) },
  );

const question: fc.Arbitrary<Question> = fc.record({
  repository: favour(REPOSITORIES),
  target: favour<string>([...TAGS, ...IMAGES.keys()]),
  level: favour(LEVELS),
  policy: favour(POLICIES),
});

/** Which of those who wait, counted from the oldest. */
const which = fc.nat(5);

/** Commands by their weights. */
const COMMANDS: readonly (readonly [number, fc.Arbitrary<Command>])[] = [
  [6, fc.array(question, { minLength: 1, maxLength: 3 }).map(ask)],
  [2, which.map(registryAnswers)],
  [4, fc.constant(registryAnswersAll)],
  [6, fc.tuple(which, pick<Said>(["passed", "passed", "revoked", "unknown"])).map(notationSays)],
  [1, which.map(hangUp)],
  [3, pick([1, 400, 900, 1000, 4000, 5000, 25_000, 60_000, 240_000]).map(pass)],
  [2, fc.tuple(favour(REPOSITORIES), favour(TAGS), pick([...IMAGES.keys()])).map(moveTag)],
  [2, fc.tuple(favour(POLICIES), pick(["e1", "e2", "e3"])).map(changePolicy)],
  [1, pick(["1.3.2", "1.3.3", undefined]).map(changeNotation)],
  [1, fc.boolean().map(changeRegistry)],
];

/** Lists of up to so many commands. */
export const commands = (maxCommands: number) =>
  fc.commands([fc.oneof(...COMMANDS.map(([weight, arbitrary]) => ({ weight, arbitrary })))], {
    maxCommands,
    size: "max",
  });
