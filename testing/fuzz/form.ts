import { decode } from "cborg";
import { Embedded, Members, Tagged, writeCbor, writeJson, type Tree } from "./tree.ts";

/** How the bytes of an input become a tree, and a tree bytes. */
export interface Form {
  /** @returns undefined for bytes that are not of this form */
  readonly read: (input: Uint8Array) => Tree | undefined;
  readonly write: (tree: Tree) => Uint8Array;
}

/** Levels of a tree; what is deeper is changed byte by byte. */
const MAX_DEPTH = 32;

/** A tree of a value that JSON.parse or a CBOR decoder gave. @throws RangeError when it is too deep */
function treeOf(value: unknown, depth = 0): Tree {
  if (depth > MAX_DEPTH) throw new RangeError("deeper than trees are read");
  const inner = (item: unknown): Tree => treeOf(item, depth + 1);
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Uint8Array || value === null) return value;
  if (value instanceof Tagged) return value;
  if (value instanceof Map) {
    return new Members([...value].map(([name, item]) => [inner(name), inner(item)]));
  }
  if (typeof value === "object") {
    return new Members(Object.entries(value).map(([name, item]) => [name, inner(item)]));
  }
  const isPlain = typeof value === "boolean" || typeof value === "string";
  return isPlain ? value : Number(value);
}

/** @returns undefined where reading throws */
function attempt(read: () => Tree | undefined): Tree | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const parse = (input: Uint8Array): unknown => JSON.parse(Buffer.from(input).toString());

/** A JSON document. */
export const json: Form = {
  read: (input) => attempt(() => treeOf(parse(input))),
  write: (tree) => Buffer.from(writeJson(tree)),
};

/** A JWS in the flattened JSON form, with the documents that are written in it as Base64. */
export const jws: Form = {
  read: (input) =>
    attempt(() => {
      const tree = treeOf(parse(input));
      if (!(tree instanceof Members)) return tree;
      for (const entry of tree.entries) {
        const [name, value] = entry;
        if ((name !== "payload" && name !== "protected") || typeof value !== "string") continue;
        const inner = json.read(Buffer.from(value, "base64url"));
        if (inner !== undefined) entry[1] = new Embedded(inner, "json");
      }
      return tree;
    }),
  write: json.write,
};

/** A COSE_Sign1, with the documents that are in its byte strings. */
export const cose: Form = {
  read: (input) =>
    attempt(() => {
      const tree = readCbor(input);
      const message = tree instanceof Tagged ? tree.tree : tree;
      if (!Array.isArray(message)) return tree;
      const [guarded, , payload] = message;
      if (guarded instanceof Uint8Array) {
        const inner = attempt(() => readCbor(guarded));
        if (inner !== undefined) message[0] = new Embedded(inner, "cbor");
      }
      if (payload instanceof Uint8Array) {
        const inner = json.read(payload);
        if (inner !== undefined) message[2] = new Embedded(inner, "json");
      }
      return tree;
    }),
  write: (tree) => Buffer.concat(writeCbor(tree)),
};

function readCbor(input: Uint8Array): Tree {
  const keepTag = (tag: number) => (content: () => unknown) => new Tagged(tag, treeOf(content()));
  const tags = Object.fromEntries([1, 18].map((tag) => [tag, keepTag(tag)]));
  return treeOf(decode(input, { useMaps: true, tags }));
}
