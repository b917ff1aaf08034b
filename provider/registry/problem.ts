import { z } from "zod";
import { JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import { undecided, type Undecided } from "../verdict/verdict.ts";
import type { Reply } from "./http.ts";

/**
 * Quotes, commas and opening brackets that a registry's document may have. A full page of signatures has some 40,000, and
 * who may push writes manifests and lists of what he likes.
 */
const MAX_MARKS = 100_000;

/** JSON that a registry sent. @see parseStrictJson */
export const parseDocument = (body: Uint8Array): unknown => parseStrictJson(body, MAX_MARKS);

const ErrorBody = z.object({ errors: z.array(z.object({ code: z.string() })).max(32) });

/** Codes of the registry's own errors. @see OCI Distribution Specification 1.1, "Error Codes" */
export function errorCodesOf(reply: Reply): readonly string[] {
  const value = parseDocument(reply.body);
  const parsed = value instanceof JsonProblem ? undefined : ErrorBody.safeParse(value);
  return parsed?.success ? parsed.data.errors.map(({ code }) => code) : [];
}

/** Undecided `REGISTRY_ERROR`. @param sentence about the registry, no text of it in it */
export const registryError = (sentence: string): Undecided => undecided("REGISTRY_ERROR", sentence);

/** For a reply of a status that means nothing to the question. */
export function unexpected({ status }: Reply): Undecided {
  return status >= 300 && status < 400
    ? registryError("the registry sent us elsewhere, where the configuration does not")
    : registryError(`the registry answered with status ${status}`);
}
