import type { Envelope } from "../evidence/evidence.ts";
import type { Answered } from "./answer.ts";
import type { Ask } from "./ask.ts";
import { isTrusted, wordsOf, type Words } from "./decide.ts";
import { questionOfEnvelope, type SignerQuestion } from "./question.ts";
import {
  createLauncherSocket,
  type LauncherSocket,
  type LauncherSocketOptions,
  type PluginRun,
} from "./socket.ts";
import { verifySignature } from "./verify-signature.ts";

/** What a statement of the trust policy says that matters before Notation has spoken. */
export interface Trusting {
  readonly trustedIdentities: readonly string[];
  /** Whether the statement checks revocation at all, at the level asked for. */
  readonly isRevocationChecked: boolean;
}

export interface SignerPluginOptions extends LauncherSocketOptions {
  readonly ask: Ask;
  /** Runs that may wait for Signer at once; fewer than there are places for runs. */
  readonly maxWaitingRuns: number;
}

/** The built-in plugin: answers the launchers of the runs that are under way, and nobody else. */
export interface SignerPlugin extends AsyncDisposable {
  /** Prepares the judgement of an envelope that names the plugin. Dispose of it when there is a judgement. */
  begin(envelope: Pick<Envelope, "mediaType" | "bytes">, trusting: Trusting): Inquiry;
}

/**
 * What AWS Signer says of one envelope. It is asked at once if the profile that the envelope names is a trusted one, so
 * that the network and the start of Notation overlap; of any other only when Notation has found the chain to be trusted.
 */
export interface Inquiry extends Disposable {
  /** Undefined for an envelope that AWS Signer did not make. */
  readonly question: SignerQuestion | undefined;
  /**
   * Whether Notation may be started now: Signer has answered, or is not asked before Notation is, or is quick and few
   * runs wait for it already. To be asked when there is a place for a run, so that a Signer that takes its time holds
   * few of them, however suddenly it begins to. Whoever is told so counts as waiting until there is an answer.
   */
  mayStart(): boolean;
  /** Resolves when Notation may be started in any case. Never rejects. */
  readonly settled: Promise<void>;
  /** What Signer said so far; undefined when it was not asked, or did not answer yet. */
  readonly answered: Answered | undefined;
  /** The same in words that name what was revoked or what AWS said; undefined when nothing is wrong. */
  readonly words: Words | undefined;
  /** Opens the plugin to one run of Notation, which may ask once. Dispose of it when the run has ended. */
  open(): PluginRun;
}

/**
 * Asks AWS Signer for the runs of Notation, which ask in turn over a socket that only this user can reach.
 * @throws as {@link createLauncherSocket} does
 */
export async function createSignerPlugin(options: SignerPluginOptions): Promise<SignerPlugin> {
  const { ask, maxWaitingRuns } = options;
  const waiting = new Set<Promise<void>>();
  const socket = await createLauncherSocket(options);
  return {
    begin: (envelope, trusting) =>
      createInquiry({ ask, socket, waiting, maxWaitingRuns }, envelope, trusting),
    [Symbol.asyncDispose]: async () => await socket[Symbol.asyncDispose](),
  };
}

interface Parts {
  readonly ask: Ask;
  /** What the runs that were started wait for. */
  readonly waiting: Set<Promise<void>>;
  readonly maxWaitingRuns: number;
  readonly socket: LauncherSocket;
}

function createInquiry(
  { ask, socket, waiting, maxWaitingRuns }: Parts,
  envelope: Pick<Envelope, "mediaType" | "bytes">,
  { trustedIdentities, isRevocationChecked }: Trusting,
): Inquiry {
  const question = questionOfEnvelope(envelope);
  const over = new AbortController();
  let asking: Promise<Answered> | undefined;
  let answered: Answered | undefined;

  /** Both runs of one judgement share one answer, whatever became of the question meanwhile. */
  function askOnce(about: SignerQuestion): Promise<Answered> {
    asking ??= ask.ask(about, over.signal).then((value) => (answered = value));
    return asking;
  }

  const isEarly =
    question !== undefined &&
    isRevocationChecked &&
    isTrusted(question.profileVersionArn, trustedIdentities);
  const settled = isEarly ? askOnce(question).then(ignore, ignore) : Promise.resolve();
  return {
    question,
    mayStart() {
      if (!isEarly || answered !== undefined || waiting.has(settled)) return true;
      if (ask.isSlow(question.region) || waiting.size >= maxWaitingRuns) return false;
      waiting.add(settled);
      void settled.then(() => waiting.delete(settled));
      return true;
    },
    settled,
    get answered() {
      return answered;
    },
    get words() {
      if (question === undefined || answered === undefined) return undefined;
      return wordsOf(question, answered.answer);
    },
    open: () =>
      socket.open((input) =>
        verifySignature(input, {
          accepts: ({ key }) => key === question?.key,
          ask: async (about) => (await askOnce(about)).answer,
        }),
      ),
    [Symbol.dispose]: () => over.abort(new Error("the judgement is over")),
  };
}

const ignore = (): void => undefined;
