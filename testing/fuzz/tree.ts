/**
 * What structured inputs are made of while they are changed. Unlike a value of JSON.parse, members may occur twice, and
 * what is written into a string by another encoding is a tree of its own.
 */
export type Tree =
  null | boolean | number | string | Uint8Array | Tree[] | Members | Embedded | Tagged;

/** A JSON object or a CBOR map, its names in their order and as often as they come. */
export class Members {
  readonly entries: [name: Tree, value: Tree][];
  constructor(entries: [Tree, Tree][]) {
    this.entries = entries;
  }
}

/** A document in a string of another one. */
export class Embedded {
  tree: Tree;
  /** The form of the inner document. */
  readonly as: "json" | "cbor";
  constructor(tree: Tree, as: "json" | "cbor") {
    this.tree = tree;
    this.as = as;
  }
}

/** A tag of CBOR. */
export class Tagged {
  readonly tag: number;
  tree: Tree;
  constructor(tag: number, tree: Tree) {
    this.tag = tag;
    this.tree = tree;
  }
}

/** A place in a tree where something else can be put. */
export interface Slot {
  readonly tree: Tree;
  readonly set: (tree: Tree) => void;
}

/** Every place of a tree, its own first; names of members are places as well. No deeper than trees are read. */
export function slotsOf(root: Slot): Slot[] {
  const found: Slot[] = [];
  const open = [root];
  for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
    found.push(slot);
    const { tree } = slot;
    if (Array.isArray(tree)) {
      for (const [index, item] of tree.entries()) {
        open.push({ tree: item, set: (value) => void (tree[index] = value) });
      }
    } else if (tree instanceof Members) {
      for (const entry of tree.entries) {
        open.push(
          { tree: entry[0], set: (value) => void (entry[0] = value) },
          { tree: entry[1], set: (value) => void (entry[1] = value) },
        );
      }
    } else if (tree instanceof Embedded || tree instanceof Tagged) {
      open.push({ tree: tree.tree, set: (value) => void (tree.tree = value) });
    }
  }
  return found;
}

/** Writes JSON; names and values that JSON does not have become strings of something. */
export function writeJson(tree: Tree): string {
  if (Array.isArray(tree)) return `[${tree.map(writeJson).join(",")}]`;
  if (tree instanceof Members) {
    const members = tree.entries.map(([name, value]) => `${writeName(name)}:${writeJson(value)}`);
    return `{${members.join(",")}}`;
  }
  if (tree instanceof Tagged) return writeJson(tree.tree);
  if (tree instanceof Embedded) return JSON.stringify(writeTree(tree).toString("base64url"));
  if (tree instanceof Uint8Array) return JSON.stringify(Buffer.from(tree).toString("base64"));
  return typeof tree === "number" && !Number.isFinite(tree) ? "1e999" : JSON.stringify(tree);
}

const writeName = (name: Tree): string =>
  typeof name === "string" ? JSON.stringify(name) : JSON.stringify(writeJson(name));

/** Bytes of an embedded document. */
function writeTree({ tree, as }: Embedded): Buffer {
  return as === "json" ? Buffer.from(writeJson(tree)) : Buffer.concat(writeCbor(tree));
}

/** Writes CBOR in its shortest forms. @see RFC 8949 3 */
export function writeCbor(tree: Tree): Buffer[] {
  if (tree === null) return [Buffer.of(0xf6)];
  if (typeof tree === "boolean") return [Buffer.of(tree ? 0xf5 : 0xf4)];
  if (typeof tree === "string") {
    const bytes = Buffer.from(tree);
    return [head(3, bytes.length), bytes];
  }
  if (typeof tree === "number") return [writeNumber(tree)];
  if (tree instanceof Uint8Array) return [head(2, tree.length), Buffer.from(tree)];
  if (tree instanceof Embedded) {
    const bytes = writeTree(tree);
    return [head(2, bytes.length), bytes];
  }
  if (tree instanceof Tagged) return [head(6, tree.tag), ...writeCbor(tree.tree)];
  if (tree instanceof Members) {
    return [
      head(5, tree.entries.length),
      ...tree.entries.flatMap(([name, value]) => [...writeCbor(name), ...writeCbor(value)]),
    ];
  }
  return [head(4, tree.length), ...tree.flatMap(writeCbor)];
}

function writeNumber(number: number): Buffer {
  if (Number.isSafeInteger(number)) return number < 0 ? head(1, -1 - number) : head(0, number);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xfb;
  bytes.writeDoubleBE(number, 1);
  return bytes;
}

/** First bytes of an item: its major type and its number. */
function head(type: number, number: number): Buffer {
  if (number < 24) return Buffer.of((type << 5) | number);
  const [code, size] =
    number < 0x100
      ? [24, 1]
      : number < 0x1_0000
        ? [25, 2]
        : number < 0x1_0000_0000
          ? [26, 4]
          : [27, 8];
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = (type << 5) | code;
  if (size === 8) bytes.writeBigUInt64BE(BigInt(number), 1);
  else bytes.writeUIntBE(number, 1, size);
  return bytes;
}
