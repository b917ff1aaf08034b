import { readFileSync } from "node:fs";

/** Our own version, from package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const content: unknown = JSON.parse(text);
  const isObject = typeof content === "object" && content !== null;
  return isObject && "version" in content ? String(content.version) : "unknown";
}
