import fc from "fast-check";
import { expect, it } from "vitest";
import { type Config, draftsOf, fieldsOf, readConfigText, readDrafts } from "./configForm";

const SCHEMA = {
  type: "object",
  additionalProperties: false,
  required: ["mask"],
  properties: {
    mask: { type: "string", title: "Mask", description: "Stands for it", minLength: 1, maxLength: 9 },
    limit: { type: "integer", minimum: 1, maximum: 9 },
    share: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
    strict: { type: "boolean" },
    kind: { enum: ["a", 2, null] },
    words: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 3, uniqueItems: true },
  },
};

function form(config: Config, schema: unknown = SCHEMA) {
  const fields = fieldsOf(schema, config);
  if (!fields) throw new Error("there is no form");
  const drafts = draftsOf(fields, config);
  return {
    fields,
    drafts,
    read: (changes: Config) => readDrafts(fields, { ...drafts, ...changes } as never, config),
  };
}

const problemOf = (changes: Config) => Object.values(form({ mask: "m" }).read(changes).problems)[0]?.text;

it("makes a field of each property, with its words", () => {
  const { fields } = form({ mask: "m" });

  expect(fields.map((field) => `${field.key} ${field.kind}`)).toEqual([
    "mask string",
    "limit integer",
    "share number",
    "strict boolean",
    "kind enum",
    "words list",
  ]);
  expect(fields[0]).toMatchObject({ label: "Mask", help: "Stands for it", isRequired: true });
  expect(fields[1]).toMatchObject({ label: "limit", help: "", isRequired: false });
});

it.each([
  ["no schema", undefined],
  ["no properties", { type: "object" }],
  ["an empty set of properties", { properties: {} }],
  ["a keyword that a form cannot keep", { properties: { a: { type: "string" } }, anyOf: [] }],
  ["an object inside", { properties: { a: { type: "object" } } }],
  ["a list of numbers", { properties: { a: { type: "array", items: { type: "number" } } } }],
  ["a reference", { properties: { a: { $ref: "#/x" } } }],
  ["two types", { properties: { a: { type: ["string", "null"] } } }],
  ["a rule that a form cannot check", { properties: { a: { type: "number", multipleOf: 2 } } }],
  ["a property that is no schema", { properties: { a: true } }],
])("makes no form of %s", (_, schema) => {
  expect(fieldsOf(schema, {})).toBeNull();
});

it.each([
  ["a key that the schema does not name", { mask: "m", other: 1 }],
  ["another type", { mask: 1 }],
  ["a text of two lines", { mask: "a\nb" }],
  ["no choice", { mask: "m", kind: "b" }],
  ["a number that is none", { mask: "m", limit: "1" }],
  ["a tick that is none", { mask: "m", strict: 1 }],
  ["lines that a list of lines would change", { mask: "m", words: [" a"] }],
])("makes no form where the config has %s", (_, config) => {
  expect(fieldsOf(SCHEMA, config)).toBeNull();
});

it("gives back every config that nobody touched", () => {
  const word = fc.stringMatching(/^[a-zé🙂]{1,5}$/u);
  const config = fc.record(
    {
      mask: word,
      limit: fc.integer({ min: 1, max: 9 }),
      share: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      strict: fc.boolean(),
      kind: fc.constantFrom("a", 2, null),
      words: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ["mask"] },
  );

  fc.assert(
    fc.property(config, (value) => {
      expect(form(value).read({})).toEqual({ config: value, problems: {} });
    }),
  );
});

it("reads what was typed", () => {
  const { config } = form({ mask: "m" }).read({
    limit: " 7 ",
    share: "0.5",
    strict: true,
    kind: "2",
    words: "one\n\n two \n",
  });

  expect(config).toEqual({ mask: "m", limit: 7, share: 0.5, strict: true, kind: 2, words: ["one", "two"] });
});

it("leaves out what is empty and was not there, and keeps an empty text that was", () => {
  const schema = { properties: { a: { type: "string" }, b: { type: "string" }, c: { type: "integer" } } };

  expect(form({ a: "x", c: 1 }, schema).read({ a: "", c: "" })).toEqual({ config: { a: "" }, problems: {} });
});

it("shows a tick that is on by default as such, and writes it only when it is changed", () => {
  const schema = { properties: { a: { type: "boolean", default: true } } };
  const { drafts, read } = form({}, schema);

  expect(drafts).toEqual({ a: true });
  expect(read({}).config).toEqual({});
  expect(read({ a: false }).config).toEqual({ a: false });
});

it.each([
  [{ mask: "" }, "tooShort"],
  [{ mask: "m".repeat(10) }, "tooLong"],
  [{ limit: "x" }, "noNumber"],
  [{ limit: "1.5" }, "noInteger"],
  [{ limit: "0" }, "tooSmall"],
  [{ limit: "10" }, "tooLarge"],
  [{ share: "0" }, "notAbove"],
  [{ share: "1" }, "notBelow"],
  [{ words: "a\nb\nc\nd" }, "tooMany"],
  [{ words: "a\na" }, "twice"],
  [{ limit: "9", mask: "ok" }, undefined],
])("finds in %j the problem %s", (changes, problem) => {
  expect(problemOf(changes)).toBe(problem);
});

it("asks for what is needed, and for enough lines", () => {
  const schema = {
    properties: {
      n: { type: "integer" },
      list: { type: "array", items: { type: "string" }, minItems: 1 },
    },
    required: ["n", "list"],
  };

  expect(form({}, schema).read({}).problems).toEqual({
    n: { text: "missing" },
    list: { text: "tooFew", values: { limit: 1 } },
  });
});

it("holds a text to its pattern, and leaves a pattern that it cannot read to the plugin", () => {
  const problems = (pattern: string) =>
    form({ a: "abc" }, { properties: { a: { type: "string", pattern } } }).read({}).problems;

  expect(problems("^x")).toEqual({ a: { text: "noMatch", values: { pattern: "^x" } } });
  expect(problems("b")).toEqual({});
  expect(problems("(?P<no>")).toEqual({});
});

it("reads a config as text, and says what is wrong with it", () => {
  expect(readConfigText('{"a": [1]}')).toEqual({ config: { a: [1] } });
  expect(readConfigText("[]")).toEqual({ problem: { text: "noObject" } });
  expect(readConfigText("{,")).toMatchObject({ problem: { text: "noJson" } });
});
