/** One entry of a config as the form shows it. */
export interface Field {
  key: string;
  kind: "string" | "integer" | "number" | "boolean" | "enum" | "list";
  label: string;
  help: string;
  isRequired: boolean;
  options: unknown[]; // of an enum
  rules: Rules;
}

interface Rules {
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
}

export type Config = Record<string, unknown>;
/** What the form holds for each key: text as it is typed, or a tick. */
export type Drafts = Record<string, string | boolean>;
/** What is wrong with an entry: a key of the catalogue, and what it names. */
export interface Problem {
  text: string;
  values?: Record<string, unknown>;
}

const NOTES = ["title", "description", "default", "examples", "$comment"];
const OF_OBJECT = new Set([
  ...NOTES,
  "type",
  "properties",
  "required",
  "additionalProperties",
  "$schema",
  "$id",
]);
const OF_TEXT = ["minLength", "maxLength", "pattern"];
const OF_NUMBER = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
const OF_LIST = ["minItems", "maxItems", "uniqueItems"];
const KEYWORDS: Record<Field["kind"], string[]> = {
  string: OF_TEXT,
  integer: OF_NUMBER,
  number: OF_NUMBER,
  boolean: [],
  enum: ["enum"],
  list: ["items", ...OF_LIST],
};

export const isObject = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const hasOnly = (schema: Config, known: Iterable<string>) => {
  const names = new Set(known);
  return Object.keys(schema).every((name) => names.has(name));
};

function kindOf(schema: Config): Field["kind"] | null {
  if (Array.isArray(schema["enum"])) return "enum";
  if (schema["type"] === "array") {
    const { items } = schema;
    return isObject(items) && items["type"] === "string" && hasOnly(items, ["type", ...NOTES])
      ? "list"
      : null;
  }
  const kind = (["string", "integer", "number", "boolean"] as const).find((type) => type === schema["type"]);
  return kind ?? null;
}

function fieldOf(key: string, schema: unknown, isRequired: boolean): Field | null {
  if (!isObject(schema)) return null;
  const kind = kindOf(schema);
  if (kind === null || !hasOnly(schema, [...NOTES, "type", ...KEYWORDS[kind]])) return null;
  const { title, description } = schema;
  return {
    key,
    kind,
    label: typeof title === "string" ? title : key,
    help: typeof description === "string" ? description : "",
    isRequired,
    options: Array.isArray(schema["enum"]) ? schema["enum"] : [],
    rules: schema as Rules,
  };
}

function isShowable(field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  switch (field.kind) {
    case "string":
      return typeof value === "string" && !/[\r\n]/.test(value);
    case "boolean":
      return typeof value === "boolean";
    case "enum":
      return field.options.some((option) => JSON.stringify(option) === JSON.stringify(value));
    case "list":
      return (
        Array.isArray(value) && value.every((item) => typeof item === "string" && /^\S[^\r\n]*$/.test(item))
      );
    default:
      return typeof value === "number";
  }
}

/**
 * The fields of a form for configs of a JSON Schema; null where a form could not show all that the schema says or
 * all that the config holds: that is edited as text.
 */
export function fieldsOf(schema: unknown, config: Config): Field[] | null {
  if (!isObject(schema) || !isObject(schema["properties"]) || !hasOnly(schema, OF_OBJECT)) return null;
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const fields = Object.entries(schema["properties"]).map(([key, property]) =>
    fieldOf(key, property, required.includes(key)),
  );
  const known = fields.filter((field) => field !== null);
  const holdsAll = Object.keys(config).every((key) => known.some((field) => field.key === key));
  const showsAll = known.every((field) => isShowable(field, config[field.key]));
  return known.length > 0 && known.length === fields.length && holdsAll && showsAll ? known : null;
}

const draftOf = (field: Field, value: unknown): string | boolean => {
  if (field.kind === "boolean") return (value ?? field.rules.default) === true;
  if (value === undefined) return "";
  if (field.kind === "enum") return JSON.stringify(value);
  return Array.isArray(value) ? value.join("\n") : String(value);
};

/** What the form begins with. */
export const draftsOf = (fields: Field[], config: Config): Drafts =>
  Object.fromEntries(fields.map((field) => [field.key, draftOf(field, config[field.key])]));

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

function valueOf(field: Field, draft: string | boolean): unknown {
  if (typeof draft === "boolean") return draft;
  if (field.kind === "list") return linesOf(draft);
  if (field.kind === "enum") return JSON.parse(draft) as unknown;
  return field.kind === "string" ? draft : Number(draft);
}

function textProblem(value: string, { minLength, maxLength, pattern }: Rules): Problem | null {
  const length = [...value].length;
  if (minLength !== undefined && length < minLength)
    return { text: "tooShort", values: { limit: minLength } };
  if (maxLength !== undefined && length > maxLength) return { text: "tooLong", values: { limit: maxLength } };
  if (pattern !== undefined && !matches(value, pattern)) return { text: "noMatch", values: { pattern } };
  return null;
}

// A pattern of another dialect than this one is for the plugin to judge.
function matches(value: string, pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true;
  }
}

function numberProblem(value: number, isInteger: boolean, rules: Rules): Problem | null {
  if (!Number.isFinite(value)) return { text: "noNumber" };
  if (isInteger && !Number.isSafeInteger(value)) return { text: "noInteger" };
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = rules;
  if (minimum !== undefined && value < minimum) return { text: "tooSmall", values: { limit: minimum } };
  if (maximum !== undefined && value > maximum) return { text: "tooLarge", values: { limit: maximum } };
  if (above !== undefined && value <= above) return { text: "notAbove", values: { limit: above } };
  if (below !== undefined && value >= below) return { text: "notBelow", values: { limit: below } };
  return null;
}

function listProblem(value: string[], { minItems, maxItems, uniqueItems }: Rules): Problem | null {
  if (minItems !== undefined && value.length < minItems)
    return { text: "tooFew", values: { limit: minItems } };
  if (maxItems !== undefined && value.length > maxItems)
    return { text: "tooMany", values: { limit: maxItems } };
  if (uniqueItems && new Set(value).size < value.length) return { text: "twice" };
  return null;
}

function problemOf(field: Field, value: unknown): Problem | null {
  if (field.kind === "string") return textProblem(value as string, field.rules);
  if (field.kind === "list") return listProblem(value as string[], field.rules);
  if (field.kind === "integer" || field.kind === "number")
    return numberProblem(value as number, field.kind === "integer", field.rules);
  return null;
}

// An empty entry stays out of the config, unless it may be meant: a text or list that was there.
const isLeftOut = (field: Field, draft: string | boolean, config: Config): boolean => {
  const isNew = !field.isRequired && config[field.key] === undefined;
  if (typeof draft === "boolean") return isNew && draft === (field.rules.default === true);
  if (draft.trim() !== "") return false;
  return isNew || (field.kind !== "string" && field.kind !== "list");
};

/** The config that the form stands for, made from the one that it began with, and what is wrong with it by key. */
export function readDrafts(fields: Field[], drafts: Drafts, config: Config) {
  const result: Config = {};
  const problems: Record<string, Problem> = {};
  for (const field of fields) {
    const draft = drafts[field.key] ?? "";
    if (isLeftOut(field, draft, config)) {
      if (field.isRequired) problems[field.key] = { text: "missing" };
      continue;
    }
    const value = valueOf(field, draft);
    const problem = problemOf(field, value);
    if (problem) problems[field.key] = problem;
    result[field.key] = value;
  }
  return { config: result, problems };
}

/** The config that a text is, or what is wrong with the text. */
export function readConfigText(text: string): { config: Config } | { problem: Problem } {
  try {
    const config: unknown = JSON.parse(text);
    return isObject(config) ? { config } : { problem: { text: "noObject" } };
  } catch (error) {
    return { problem: { text: "noJson", values: { message: error instanceof Error ? error.message : "" } } };
  }
}
