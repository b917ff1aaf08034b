import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeLayout } from "../evidence/layout.ts";
import { untilAborted } from "../lib/deadline.ts";
import { errorCode } from "../lib/error-code.ts";
import { createTurns, NOBODY_WAITS, type TurnOptions } from "../lib/turns.ts";
import { FORM_OVERRIDE, type Action, type Form } from "../trust/trust.ts";
import { SIGNER_PLUGIN } from "../signer/plugin.ts";
import type { Inquiry, SignerPlugin } from "../signer/inquiry.ts";
import type { FailureReason, RejectReason } from "../verdict/reasons.ts";
import { isRefusal, oneLine, rejected, undecided, type Undecided } from "../verdict/verdict.ts";
import { commandOf, type CommandOptions } from "./command.ts";
import { interpret } from "./interpret.ts";
import type { Judge, Judgement, NotationState, Question } from "./judgement.ts";
import { createRunner, type Runner, type RunnerOptions } from "./run.ts";
import { createVersion } from "./version.ts";

/** Milliseconds that `notation version` may take. */
const VERSION_MS = 5_000;

/** What one judgement was and cost; no member comes from a key or a signature. */
export interface NotationEvent {
  readonly outcome: "passed" | RejectReason | FailureReason;
  /** Milliseconds from the question to the judgement. */
  readonly durationMs: number;
  /** Milliseconds that the runner took to start Notation; of two runs, the longer. */
  readonly spawnMs: number;
  /** Milliseconds that the question waited for a place. */
  readonly queueMs: number;
}

export interface NotationOptions extends CommandOptions, RunnerOptions, TurnOptions {
  /** Names of the plugins that an envelope may demand. */
  readonly plugins: readonly string[];
  /** On a memory file system, and of this process alone. */
  readonly runtimeDirectory: string;
  /** On the same mount. The revocation lists in its `crl` are kept, and Notation checks their signatures at each use. */
  readonly cacheDirectory: string;
  readonly observe?: (event: NotationEvent) => void;
  /** AWS Signer's plugin, if it is the built-in one. */
  readonly signer?: SignerPlugin;
  /** Starts the processes; this process does so itself unless another one is given. */
  readonly runner?: Runner;
}

/** Notation as the other rooms see it. */
export interface Notation {
  /** Never rejects. */
  readonly judge: Judge;
  /** What is known of the binary; costs nothing. */
  state(): NotationState;
  /** Asks the binary for its version now. Each judgement does so by itself when the file has changed. */
  check(): Promise<NotationState>;
  /** Ends every run with its process group, answers what waits with `SHUTTING_DOWN`, and removes the layouts. */
  close(): Promise<void>;
}

const FULL = undecided("OVERLOADED", "too many signatures wait to be verified");
const LATE = undecided("TIMEOUT", "the deadline passed before Notation could be started");

/** Failures of authenticity alone, after which a level that only logs authenticity gets its second run. */
const UNAUTHENTIC: ReadonlySet<string> = new Set<RejectReason>([
  "UNTRUSTED_SIGNER",
  "WRONG_IDENTITY",
]);

/**
 * Prepares the directories and asks the binary for its version. A binary that cannot be used is a state, not an error.
 * @throws when the directories cannot be made
 */
export async function createNotation(options: NotationOptions): Promise<Notation> {
  const { plugins, now, observe } = options;
  const directory = resolve(options.runtimeDirectory);
  const cache = resolve(options.cacheDirectory);
  const layouts = join(directory, "layouts");
  mkdirSync(layouts, { recursive: true, mode: 0o700 });
  prepareCache(cache);
  const runner = options.runner ?? createRunner(options);
  const take = createTurns(options);
  const version = createVersion({
    binary: resolve(options.binary),
    directory,
    runner,
    deadline: () => AbortSignal.timeout(VERSION_MS),
    now,
  });
  const closing = new AbortController();
  const active = new Set<Promise<Judgement>>();

  /** One run: one envelope, one layout, one form of the policy. What was written goes when the run has ended. */
  async function run(
    form: Form,
    question: Question,
    { signal, spawned, inquiry }: Work,
  ): Promise<Judgement> {
    const opened = orUndecided("TRUST_UNAVAILABLE", "the trust policy could not be laid out", () =>
      question.trust.open(question.level, form),
    );
    if (isRefusal(opened)) return opened;
    using trust = opened;
    const written = orUndecided("NOTATION_FAILED", "the signature could not be laid out", () =>
      writeLayout(layouts, question.subject, question.envelope),
    );
    if (isRefusal(written)) return written;
    using layout = written;
    using opening = inquiry?.open();
    const directories = { trust: resolve(trust.path), layout: layout.path, cache };
    const command = await untilAborted(
      commandOf(question, directories, options, opening?.environment),
      signal,
    );
    const result = await runner.run(command, signal);
    spawned(result.spawnMs);
    return underActions(interpret(result, question.subject.digest), form, question);
  }

  async function decide(question: Question, work: Work): Promise<Judgement> {
    const state = await untilAborted(version.current(), work.signal);
    if (state.problem !== undefined) {
      return undecided("NOTATION_FAILED", `Notation cannot be used: ${state.problem}`);
    }
    const { authenticity, revocation } = question.statement.actions(question.level);
    if (authenticity !== "log" || revocation === "skip") {
      return run("whole", question, work);
    }
    // Where authenticity is only logged, Notation would go on to ask the revocation servers that a stranger's chain
    // names. So nobody but a trusted signer gets that far, and strangers are judged without revocation.
    const first = await run("authentic", question, work);
    if (first.kind !== "rejected" || !UNAUTHENTIC.has(first.reason)) return first;
    return run("unrevoked", question, work);
  }

  function beginInquiry({ envelope, statement, level }: Question): Inquiry | undefined {
    if (envelope.claims.plugin !== SIGNER_PLUGIN) return undefined;
    const isRevocationChecked = statement.actions(level).revocation !== "skip";
    const { trustedIdentities } = statement;
    return options.signer?.begin(envelope, { trustedIdentities, isRevocationChecked });
  }

  async function judgeInTurn(question: Question, caller: AbortSignal): Promise<Judgement> {
    const from = now();
    const signal = AbortSignal.any([caller, closing.signal]);
    let spawnMs = 0;
    let queueMs: number | undefined;
    const patience = { signal, demand: question.demand ?? NOBODY_WAITS };
    using inquiry = beginInquiry(question);
    const spawned = (ms: number): void => {
      spawnMs = Math.max(spawnMs, ms);
    };
    const inTurn = async (): Promise<Judgement | "full"> => {
      for (;;) {
        const taken = await take(async (turn) => {
          // While AWS Signer takes its time, the places are for images that do not need it.
          if (inquiry?.mayStart() === false) {
            turn.pass();
            return "early";
          }
          queueMs = now() - from;
          return await decide(question, { signal, spawned, inquiry });
        }, patience);
        if (taken !== "early") return taken;
        question.onWait?.();
        await untilAborted(inquiry?.settled ?? Promise.resolve(), signal);
      }
    };
    const answer = await inTurn().catch((error: unknown) =>
      signal.aborted ? LATE : failed("the run could not be made", error),
    );
    const judged = answer === "full" ? FULL : withSigner(answer, inquiry);
    const judgement = closing.signal.aborted && !caller.aborted ? shuttingDown(judged) : judged;
    const outcome = judgement.kind === "passed" ? "passed" : judgement.reason;
    const durationMs = now() - from;
    observe?.({ outcome, durationMs, spawnMs, queueMs: queueMs ?? durationMs });
    return judgement;
  }

  async function judge(question: Question, signal: AbortSignal): Promise<Judgement> {
    // Vetting has refused it already; nothing may be started if it had not.
    const { plugin } = question.envelope.claims;
    if (plugin !== undefined && !plugins.includes(plugin)) {
      return rejected("PLUGIN_NOT_ALLOWED", "the signature asks for a plugin that is not allowed");
    }
    const judgement = judgeInTurn(question, signal);
    active.add(judgement);
    try {
      return await judgement;
    } finally {
      active.delete(judgement);
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    await runner.killAll();
    await Promise.all(active);
    rmSync(layouts, { recursive: true, force: true });
  }

  await version.check();
  return { judge, state: version.state, check: version.check, close };
}

/** Makes the place of the revocation lists. A run that was killed between writing a list and renaming it leaves it there. */
function prepareCache(cache: string): void {
  const lists = join(cache, "crl");
  mkdirSync(lists, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(lists)) {
    if (name.startsWith("notation-")) rmSync(join(lists, name), { force: true });
  }
}

/**
 * A judgement that the policy allows: a check that the run's form enforces cannot have failed and passed, and passing
 * without revocation is only for those who are not authentic. Anything else was judged under another policy.
 */
function underActions(judgement: Judgement, form: Form, { statement, level }: Question): Judgement {
  if (judgement.kind !== "passed") return judgement;
  const actions: Readonly<Record<string, Action>> = {
    ...statement.actions(level),
    ...FORM_OVERRIDE[form],
  };
  const failures = judgement.warnings.map(({ check }) => check);
  const isAllowed = failures.every((check) => actions[check] === "log");
  if (isAllowed && (form !== "unrevoked" || failures.includes("authenticity"))) return judgement;
  return undecided("NOTATION_FAILED", "Notation did not judge under the trust policy it was given");
}

/** What one judgement needs on its way. */
interface Work {
  readonly signal: AbortSignal;
  readonly spawned: (ms: number) => void;
  readonly inquiry: Inquiry | undefined;
}

/** The judgement with what AWS Signer itself said, where it gave the reason: Notation's text does not name what is revoked. */
function withSigner(judgement: Judgement, inquiry: Inquiry | undefined): Judgement {
  if (inquiry?.answered === undefined || inquiry.question === undefined) return judgement;
  const { words, question, answered } = inquiry;
  if (judgement.kind !== "passed") {
    return words?.reason === judgement.reason
      ? { ...judgement, sentence: words.sentence }
      : judgement;
  }
  if (words === undefined) return { ...judgement, asked: { question, askedAt: answered.askedAt } };
  const message = oneLine(`${words.reason}: ${words.sentence}`);
  const warnings = judgement.warnings.map((warning) =>
    warning.check === "revocation" && warning.message.startsWith(`${words.reason}: `)
      ? { ...warning, message }
      : warning,
  );
  return { ...judgement, warnings };
}

const shuttingDown = (judgement: Judgement): Judgement =>
  judgement.kind === "undecided" && judgement.reason === "TIMEOUT"
    ? undecided("SHUTTING_DOWN", "the provider is shutting down")
    : judgement;

/** @param sentence what was tried; of the error only the system's code is added */
function failed(
  sentence: string,
  error: unknown,
  reason: FailureReason = "NOTATION_FAILED",
): Undecided {
  const code = errorCode(error);
  return undecided(reason, code === undefined ? sentence : `${sentence} (${code})`);
}

function orUndecided<T>(reason: FailureReason, sentence: string, work: () => T): T | Undecided {
  try {
    return work();
  } catch (error) {
    return failed(sentence, error, reason);
  }
}
