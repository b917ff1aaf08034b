import type { Random } from "./random.ts";
import type { Target } from "./target.ts";
import { Embedded, Members, slotsOf, Tagged, type Slot, type Tree } from "./tree.ts";

/** What breaks readers of any language: names of prototypes, controls, surrogates, what folds to a letter, limits of numbers. */
const TROUBLE = [
  "",
  " ",
  "\0",
  "\n",
  "\r\n",
  "\t",
  "\u001b[31m",
  "\u007f",
  "\u0085",
  "\u2028",
  "\u202e",
  "\ud800",
  "\ufeff",
  "\u017f",
  "\u212a",
  "\u{1f600}",
  "é",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "null",
  "-",
  "--",
  "..",
  "/",
  "\\",
  '"',
  "%2f",
  "${x}",
] as const;

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  2,
  10,
  255,
  256,
  65_536,
  2 ** 31,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  1.5,
  1e308,
  Infinity,
] as const;

/** Changes that one input may get. */
const MAX_CHANGES = 6;

/** Levels that one change may wrap around something. */
const MAX_WRAPS = 100;

/** Makes a new input of one that is known, in one or a few steps. @param others for parts to be taken from */
export function mutate(
  input: Uint8Array,
  target: Target,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  let changed: Uint8Array = input;
  const changes = 1 + random.below(random.below(MAX_CHANGES) + 1);
  // Most of the bytes of a structured input are its structure, and to break that again and again finds nothing.
  const tree = target.form !== undefined && !random.oneIn(4) ? target.form.read(input) : undefined;
  if (tree !== undefined && target.form !== undefined) {
    const root = { tree };
    for (let step = 0; step < changes; step += 1) changeTree(root, target, others, random);
    changed = target.form.write(root.tree);
  } else {
    for (let step = 0; step < changes; step += 1)
      changed = changeBytes(changed, target, others, random);
  }
  return changed.subarray(0, target.maxBytes);
}

function changeBytes(
  input: Uint8Array,
  { words }: Target,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array {
  const at = random.below(input.length + 1);
  const length = random.oneIn(4) ? random.below(input.length - at + 1) : random.below(5);
  const replaced = (part: Uint8Array, cut = 0): Buffer =>
    Buffer.concat([input.subarray(0, at), part, input.subarray(at + cut)]);
  switch (random.below(8)) {
    case 0:
      return replaced(Buffer.of(random.below(256)), 1);
    case 1: {
      const flipped = Buffer.of((input[at] ?? 0) ^ (1 << random.below(8)));
      return replaced(flipped, 1);
    }
    case 2:
      return replaced(Buffer.alloc(0), length);
    case 3:
      return replaced(Buffer.from(random.pick(TROUBLE)), random.below(3));
    case 4:
    case 5:
      return replaced(Buffer.from(wordOf(words, random)), random.oneIn(2) ? length : 0);
    case 6: {
      const part = input.subarray(at, at + length);
      return replaced(Buffer.concat(Array.from({ length: 1 + random.below(8) }, () => part)));
    }
    default: {
      const other = random.pick(others);
      const from = random.below(other.length + 1);
      const part = other.subarray(from, from + 1 + random.below(other.length - from + 1));
      return replaced(part, random.oneIn(2) ? length : 0);
    }
  }
}

const wordOf = (words: readonly string[], random: Random): string =>
  words.length === 0 ? random.pick(TROUBLE) : random.pick(words);

function changeTree(
  root: { tree: Tree },
  target: Target,
  others: readonly Uint8Array[],
  random: Random,
): void {
  const slots = slotsOf({ tree: root.tree, set: (tree) => void (root.tree = tree) });
  const slot = random.pick(slots);
  switch (random.below(9)) {
    case 0:
      slot.set(scalar(target.words, random));
      break;
    case 1:
    case 2:
      changeText(slot, target, others, random);
      break;
    case 3:
      slot.set(copy(random.pick(slots).tree));
      break;
    case 4: {
      const other = target.form?.read(random.pick(others));
      if (other === undefined) break;
      slot.set(random.pick(slotsOf({ tree: other, set: () => undefined })).tree);
      break;
    }
    case 5: {
      let { tree } = slot;
      const levels = random.oneIn(8) ? random.below(MAX_WRAPS) : 1;
      for (let level = 0; level < levels; level += 1) {
        tree = random.oneIn(2) ? [tree] : new Members([[wordOf(target.words, random), tree]]);
      }
      slot.set(tree);
      break;
    }
    default:
      changeMembers(slot, target.words, random);
  }
}

/** Something that is no list and no map. */
function scalar(words: readonly string[], random: Random): Tree {
  const texts = [wordOf(words, random), random.pick(TROUBLE)];
  const bytes = Buffer.from(random.pick(texts));
  return random.pick<Tree>([
    ...texts,
    ...texts,
    random.pick(NUMBERS),
    null,
    true,
    false,
    [],
    new Members([]),
    bytes,
    new Tagged(random.pick([1, 18]), random.pick(NUMBERS)),
  ]);
}

/** Changes a string or a number within itself. */
function changeText(
  slot: Slot,
  target: Target,
  others: readonly Uint8Array[],
  random: Random,
): void {
  const { tree } = slot;
  if (typeof tree === "number") {
    slot.set(tree + random.pick([-1, 1, 0.5, 256]));
  } else if (tree instanceof Uint8Array) {
    slot.set(changeBytes(tree, target, others, random));
  } else if (typeof tree === "string") {
    const at = random.below(tree.length + 1);
    const cut = random.oneIn(2) ? random.below(4) : 0;
    const put = random.oneIn(2) ? wordOf(target.words, random) : random.pick(TROUBLE);
    const whole = tree.slice(0, at) + put + tree.slice(at + cut);
    slot.set(random.pick([whole, tree.toUpperCase(), tree.slice(0, at), whole, whole]));
  } else {
    changeMembers(slot, target.words, random);
  }
}

/** Takes a part out of a list or a map, or puts one in, once more or at another place. */
function changeMembers({ tree }: Slot, words: readonly string[], random: Random): void {
  if (Array.isArray(tree)) {
    const at = random.below(tree.length + 1);
    const item = tree.length === 0 ? scalar(words, random) : copy(random.pick(tree));
    if (random.oneIn(2)) tree.splice(at, 1);
    else tree.splice(at, 0, item);
  } else if (tree instanceof Members) {
    const { entries } = tree;
    const at = random.below(entries.length + 1);
    const [name, value]: readonly [Tree, Tree] =
      entries.length === 0 ? [wordOf(words, random), scalar(words, random)] : random.pick(entries);
    const names = [
      name,
      wordOf(words, random),
      typeof name === "string" ? name.toUpperCase() : name,
      typeof name === "string" ? name.replace("s", "\u017f").replace("k", "\u212a") : name,
    ];
    if (random.oneIn(3)) entries.splice(at, 1);
    else entries.splice(at, 0, [random.pick(names), copy(value)]);
  }
}

/** A tree of its own, so that a change of one place is none of another, and none contains itself. */
function copy(tree: Tree): Tree {
  if (Array.isArray(tree)) return tree.map(copy);
  if (tree instanceof Embedded) return new Embedded(copy(tree.tree), tree.as);
  if (tree instanceof Tagged) return new Tagged(tree.tag, copy(tree.tree));
  if (!(tree instanceof Members)) return tree;
  return new Members(tree.entries.map(([name, value]) => [copy(name), copy(value)]));
}

/** The same part of an input so many times: what a reader with more than linear time does not bear. */
export function repeated(
  input: Uint8Array,
  target: Target,
  random: Random,
): ((times: number) => Uint8Array) | undefined {
  const { form } = target;
  const seed = random.below(2 ** 31);
  if (form === undefined || seed % 3 === 0) {
    const at = random.below(input.length + 1);
    const part = input.subarray(at, at + 1 + random.below(8));
    return (times) =>
      Buffer.concat([
        input.subarray(0, at),
        ...Array.from({ length: times }, () => part),
        input.subarray(at),
      ]);
  }
  const read = form.read(input);
  if (read === undefined) return undefined;
  const count = slotsOf({ tree: read, set: () => undefined }).length;
  const chosen = random.below(count);
  return (times) => {
    const root = { tree: form.read(input) ?? null };
    const slot = slotsOf({ tree: root.tree, set: (tree) => void (root.tree = tree) })[chosen];
    if (slot !== undefined) slot.set(grown(slot.tree, times, seed));
    return form.write(root.tree);
  };
}

/** A tree with so many more of its own parts. */
function grown(tree: Tree, times: number, seed: number): Tree {
  const many = (): number[] => Array.from({ length: times }, (_, index) => index);
  if (Array.isArray(tree)) {
    const item = tree[seed % Math.max(tree.length, 1)] ?? "x";
    // Texts are numbered, since many readers look for repetitions.
    return [
      ...tree,
      ...many().map((index) => (typeof item === "string" ? item + String(index) : copy(item))),
    ];
  }
  if (tree instanceof Members) {
    const [, value] = tree.entries[seed % Math.max(tree.entries.length, 1)] ?? ["x", "x"];
    return new Members([
      ...tree.entries,
      ...many().map((index): [Tree, Tree] => [`x${index}`, copy(value)]),
    ]);
  }
  if (tree instanceof Uint8Array) return Buffer.concat(many().map(() => tree));
  if (typeof tree !== "string" || tree === "") return tree;
  const at = seed % tree.length;
  const part = tree.slice(at, at + 1 + (seed % 5));
  return tree.slice(0, at) + part.repeat(times) + tree.slice(at);
}
