import type { Form } from "./form.ts";

/** One reader of foreign input, and what holds for every input. */
export interface Target {
  /** Of its file and of the folder of its corpus. */
  readonly name: string;
  /** What holds for every input, with the IDs of the attacks and faults that it stands against: the title of its tests. */
  readonly title: string;
  /** Bytes that an input may have: what its caller lets through, or enough to see how time grows. */
  readonly maxBytes: number;
  /** Pieces of the language that is read, for inputs to be made of. */
  readonly words: readonly string[];
  /** How inputs are taken apart into trees; absent where bytes say it all. */
  readonly form?: Form;
  /**
   * Reads an input and asserts what has to hold.
   * @returns a name for what came of it. An input that leads to a new one is kept, as one that reaches new code is: what
   *   happens inside a regular expression is no code to see
   * @throws whatever an assertion throws, which is a finding
   */
  readonly check: (input: Uint8Array) => string | Promise<string>;
}
