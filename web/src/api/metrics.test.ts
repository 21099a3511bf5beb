import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketsOf, parseMetrics, quantile, sumOf } from "./metrics";

describe("parseMetrics", () => {
  it("reads names, labels and values, and passes over comments", () => {
    const samples = parseMetrics('# HELP x y\n# TYPE x counter\nx{model="a b",q="say \\"hi\\""} 3\nup 1\n\n');

    expect(samples).toEqual([
      { name: "x", labels: { model: "a b", q: 'say "hi"' }, value: 3 },
      { name: "up", labels: {}, value: 1 },
    ]);
  });

  it("passes over lines of another form", () => {
    expect(parseMetrics("{}\n= 3\nname\n")).toEqual([]);
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseMetrics(text))));
  });
});

describe("sumOf", () => {
  it("adds the series of all labels", () => {
    expect(sumOf(parseMetrics('x{a="1"} 2\nx{a="2"} 3\ny 9'), "x")).toBe(5);
  });
});

describe("quantile", () => {
  const at = (text: string) => bucketsOf(parseMetrics(text), "t");
  const page = at('t_bucket{le="0.1"} 10\nt_bucket{le="1"} 20\nt_bucket{le="+Inf"} 20');

  it("interpolates inside the bucket", () => {
    expect(quantile(0.5, page, new Map())).toBeCloseTo(0.1);
    expect(quantile(0.75, page, new Map())).toBeCloseTo(0.55);
  });

  it("counts only what came since the last scrape", () => {
    expect(quantile(0.5, page, page)).toBeNull();
  });

  it("gives the last finite bound when values lie beyond it", () => {
    expect(quantile(0.9, at('t_bucket{le="1"} 1\nt_bucket{le="+Inf"} 10'), new Map())).toBe(1);
  });
});
