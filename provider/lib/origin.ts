/**
 * Reads `https://host[:port]` or `http://host[:port]`. What could stand behind the host, or credentials before it, has no
 * place where only an address is meant.
 * @returns undefined for anything else
 */
export function parseOrigin(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol)) return undefined;
  const rest = `${url.pathname}${url.search}${url.hash}${url.username}${url.password}`;
  return rest === "/" ? url : undefined;
}
