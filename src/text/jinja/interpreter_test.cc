// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/template_fixture.h"

// What is expected is what Jinja2 gives.

namespace llama_gpu::text::jinja {
namespace {

TEST(Interpreter, BranchesOnTruth) {
  expect_rendered({
      {"{% if 0 %}a{% elif \"\" %}b{% elif [1] %}c{% else %}d{% endif %}", "c"},
      {"{% if none %}a{% else %}d{% endif %}", "d"},
      {"{% if 0.0 %}a{% endif %}", ""},
      {"{% if {} or () or range(0) %}a{% else %}b{% endif %}", "b"},
      {"{% if nosuch %}a{% endif %}b", "b"},
      {"{% if 1: %}a{% endif %}", "a"},
      {"{% if dict.keys() and range and 0.5 %}x{% endif %}", "x"},
  });
}

TEST(Interpreter, LoopsOverWhatHasItems) {
  expect_rendered({
      {"{% for x in list %}{{ x }},{% endfor %}", "3,1,2,"},
      {"{% for c in \"aé😀\" %}[{{ c }}]{% endfor %}", "[a][é][😀]"},
      {"{% for k in dict %}{{ k }}{% endfor %}", "baitems"},
      {"{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;a=x;items=2;"},
      {"{% for x in nosuch %}a{% else %}none{% endfor %}", "none"},
      {"{% for x in range(3) %}{{ x }}{% endfor %}", "012"},
      {"{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
      {"{% for x in 1, 2 %}{{ x }}{% endfor %}", "12"},
      {"{% for x in list if x > 1 %}{{ x }}{{ loop.index }}{{ loop.length }}{{ loop.last }} {% endfor %}",
       "312False 222True "},
  });
  expect_errors({
      "{% for x in none %}{% endfor %}",
      "{% for x in 5 %}{% endfor %}",
      "{% for a, b in [1] %}{% endfor %}",
      "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
      "{% for a, b in [\"x\"] %}{% endfor %}",
  });
}

TEST(Interpreter, TellsALoopItsPlace) {
  expect_rendered({
      {"{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ "
       "loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ "
       "loop.nextitem }}|{% endfor %}",
       "1032TrueFalse3101|2121FalseFalse31032|3210FalseTrue3101|"},
      {"{% for x in list|map(\"string\") %}{{ loop.length }}{{ loop.revindex }}{{ loop.last }}{{ x }};{% "
       "endfor %}",
       "33False3;32False1;31True2;"},
      {"{% for x in list %}{{ loop.cycle(\"a\", \"b\") }}{% endfor %}", "aba"},
      {"{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}", "TrueFalseTrue"},
      {"{% for x in list %}{{ loop }}{% endfor %}", "<LoopContext 1/3><LoopContext 2/3><LoopContext 3/3>"},
      {"{% for x in list %}{{ loop.zz is defined }}{{ loop[\"index\"] }}{% endfor %}", "False1False2False3"},
      {"{% for x in list %}{{ loop.previtem + 1 if not loop.first }}{% endfor %}", "42"},
      {"{% for x in list %}{% for y in [1] %}{{ loop.length }}{% endfor %}{{ loop.length }}{% endfor %}",
       "131313"},
      {"{% for x in [1] %}{% set ns = namespace(l=loop) %}{{ ns.l.index }}{% endfor %}", "1"},
  });
  expect_errors({
      "{% for x in list %}{{ loop.cycle() }}{% endfor %}",
  });
}

TEST(Interpreter, JumpsOutOfLoops) {
  expect_rendered({
      {"{% for x in list %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "3"},
      {"{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% else %}e{% endfor %}", "32"},
      {"{% for x in list %}{% break %}{% else %}e{% endfor %}", "e"},
      {"{% for x in list %}{% set y %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endset %}{{ y }}{% "
       "endfor %}",
       "3"},
      {"{% for x in list %}{% filter upper %}{% if x == 1 %}{% continue %}{% endif %}a{{ x }}{% endfilter "
       "%}{% endfor %}",
       "A3A2"},
  });
  expect_errors({
      "{% break %}",
      "{% for x in list %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
      "{% continue %}",
      "{% for x in list %}{% else %}{% break %}{% endfor %}",
      "{% for x in list %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
  });
}

TEST(Interpreter, KeepsNamesInTheirScope) {
  expect_rendered({
      {"{% set x = 1 %}{% for y in list %}{% set x = 2 %}{% endfor %}{{ x }}", "1"},
      {"{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "2"},
      {"{% for y in list %}{% set x = x|default(0) + 1 %}{{ x }}{% endfor %}{{ x }}", "111"},
      {"{% for y in [1] %}{{ text }}{% endfor %}{% set text = 2 %}{{ text }}", "2"},
      {"{{ text }}{% for y in [1] %}{{ text }}{% endfor %}{% set text = 2 %}", "Hello WorldHello World"},
      {"{% if false %}{% set text = 2 %}{% endif %}{{ text }}", "Hello World"},
      {"{% for y in [1] %}{{ text }}{% endfor %}{% if true %}{% set text = 1 %}{% else %}{% set text = 2 "
       "%}{% endif %}",
       "Hello World"},
      {"{% for y in [1] %}{{ text }}{% endfor %}{% if false %}{% set text = 1 %}{% elif false %}{% set text "
       "= 2 %}{% elif true %}{% set text = 4 %}{% else %}{% set text = 3 %}{% endif %}",
       ""},
      {"{% for x in [1] %}{% if x %}{% set text = 5 %}{% endif %}{{ text }}{% endfor %}{{ text }}",
       "5Hello World"},
      {"{% set loop = 1 %}{{ loop }}", "1"},
      {"{% for x in [1] %}{% with loop = 2 %}{% endwith %}{% endfor %}", ""},
  });
  expect_errors({
      "{% for loop in [1] %}{% endfor %}",
      "{% for x in [1] %}{% set loop = 1 %}{% endfor %}",
      "{% for x in [1] %}{% set loop %}{% endset %}{% endfor %}",
  });
}

TEST(Interpreter, SetsNamespaceAttributes) {
  expect_rendered({
      {"{% set ns = namespace(a=1) %}{% for x in list %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}",
       "7"},
      {"{% set ns = namespace({\"a\": 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns[\"b\"] }}", "122"},
      {"{% set ns = namespace() %}{% set ns.x %}hi{% endset %}{{ ns.x }}{{ ns }}",
       "hi<Namespace {'x': 'hi'}>"},
  });
  expect_errors({
      "{% set dict.a = 1 %}",
      "{% set ns.a = 1 %}",
      "{% set ns = namespace(1) %}",
      "{% set ns = namespace([1]) %}",
      "{% set ns = namespace({}, {}) %}",
  });
}

TEST(Interpreter, AssignsTuplesAndBlocks) {
  expect_rendered({
      {"{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12"},
      {"{% set (a, b) = \"xy\" %}{{ a }}{{ b }}", "xy"},
      {"{% set x %}a{{ 1 }}{% endset %}[{{ x }}]", "[a1]"},
      {"{% set x | upper | replace(\"A\", \"b\") %}a{% endset %}{{ x }}", "b"},
      {"{% set x = 1, 2 %}{{ x }}", "(1, 2)"},
      {"{% filter upper | trim %} a{{ text }} {% endfilter %}", "AHELLO WORLD"},
      {"{% with a = 1, b = a|default(5) %}{{ a }}{{ b }}{% endwith %}{{ a }}", "15"},
      {"{% with %}{% set q = 1 %}{% endwith %}{{ q }}", ""},
      {"{% print 1, \"a\" %}", "1a"},
      {"{% generation %}{% set q = 1 %}x{% endgeneration %}{{ q }}", "x"},
  });
  expect_errors({
      "{% filter length %}a{% endfilter %}",
      "{% set a, b = 1 %}",
      "{% set 1 = 2 %}",
      "{% set true = 2 %}",
      "{% set a.b.c = 2 %}",
      "{% set [a] = [1] %}",
      "{% set a = %}",
      "{% set %}",
  });
}

TEST(Interpreter, CallsMacros) {
  expect_rendered({
      {"{% macro m(a, b=\"d\", c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m() }}|{{ m(1) }}|{{ m(1, 2) "
       "}}|{{ m(c=3, a=1) }}",
       "dd|1dd|122|1d3"},
      {"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "(1, 2){'x': 3}"},
      {"{% macro m() %}{{ m2() }}{% endmacro %}{% macro m2() %}2{% endmacro %}{{ m() }}", "2"},
      {"{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "3210"},
      {"{% macro m(varargs, kwargs=1) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}", "11"},
      {"{% macro m() %}a{% endmacro %}{{ m }}{{ m is callable }}", "<Macro 'm'>True"},
      {"{% macro m(a) %}{{ caller(a) }}{% endmacro %}{% call(x) m(1) %}[{{ x }}]{% endcall %}", "[1]"},
      {"{% macro m() %}{{ caller is defined }}{{ kwargs }}{% endmacro %}{{ m() }}", "False{}"},
      {"{% macro m(caller=1) %}{{ caller }}{% endmacro %}{{ m() }}", "1"},
      {"{% macro m() %}{{ text }}{% endmacro %}{% set text = 5 %}{{ m() }}", "5"},
      {"{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "False"},
  });
  expect_errors({
      "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
      "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
      "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}",
      "{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}",
      "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
      "{{ text() }}",
      "{{ nosuch() }}",
      "{{ none() }}",
      "{{ dict.nosuch() }}",
      "{% call text %}{% endcall %}",
      "{% call nosuch() %}{% endcall %}",
      "{% macro m(a, a) %}{% endmacro %}",
      "{% macro m(true) %}{% endmacro %}",
      "{% macro None() %}{% endmacro %}",
      "{% macro m(a=1, b) %}{% endmacro %}",
      "{% macro m %}{% endmacro %}",
      "{% call(x, y=2) m() %}{% endcall %}{% macro m() %}{% endmacro %}",
  });
}

TEST(Interpreter, RefusesTagsThatAreNotForTemplates) {
  expect_errors({
      "{% include \"x\" %}",
      "{% import \"x\" as y %}",
      "{% extends \"x\" %}",
      "{% from \"x\" import y %}",
      "{% nosuch %}",
      "{% if true %}{% endfor %}",
      "{% endif %}",
      "{% for x in list %}{% endif %}",
      "{% 1 %}",
      "{% if true %}",
      "{% macro m() %}",
      "{% for x list %}{% endfor %}",
      "{% for x in list recursive nosuch %}{% endfor %}",
  });
}

TEST(Interpreter, HasUndefinedValues) {
  expect_rendered({
      {"{{ nosuch }}", ""},
      {"{{ nosuch ~ \"x\" }}", "x"},
      {"{{ [nosuch] }}", "[Undefined]"},
      {"{{ nosuch == nosuch2 }}", "True"},
      {"{{ nosuch == none }}", "False"},
      {"{{ nosuch|length }}", "0"},
      {"{{ nosuch|list }}", "[]"},
      {"{{ nosuch|default(\"d\") }}", "d"},
      {"{{ nosuch is defined }}", "False"},
      {"{{ not nosuch }}", "True"},
      {"{{ nosuch in [nosuch] }}", "True"},
      {"{{ {nosuch: 1} }}", "{Undefined: 1}"},
      {"{{ nosuch|sum }}", "0"},
      {"{{ nosuch|last }}", ""},
      {"{{ nosuch|reverse|list }}", "[]"},
      {"{{ nosuch|sort }}", "[]"},
      {"{{ nosuch|max }}", ""},
      {"{{ nosuch|items|list }}", "[]"},
      {"{{ nosuch|unique|list }}", "[]"},
  });
  expect_errors({
      "{{ nosuch.a }}",       "{{ nosuch[\"a\"] }}",   "{{ nosuch + 1 }}",      "{{ 1 - nosuch }}",
      "{{ nosuch < 1 }}",     "{{ -nosuch }}",         "{{ nosuch[1:] }}",      "{{ nosuch|int }}",
      "{{ nosuch|float }}",   "{{ nosuch|abs }}",      "{{ nosuch() }}",        "{{ text.zz.y }}",
      "{{ (1 if false).x }}", "{{ nosuch % 2 }}",      "{{ [nosuch]|tojson }}", "{{ nosuch|tojson }}",
      "{{ 1 > nosuch }}",     "{{ nosuch|dictsort }}", "{{ nosuch|round }}",    "{{ nosuch|indent }}",
  });
}

TEST(Interpreter, MakesDictsAndRanges) {
  expect_rendered({
      {"{{ range(3)|list }}", "[0, 1, 2]"},
      {"{{ range(1, 9, 3)|list }}", "[1, 4, 7]"},
      {"{{ range(5, 0, -2)|list }}", "[5, 3, 1]"},
      {"{{ range(3) }}", "range(0, 3)"},
      {"{{ range(0, 10, 2) }}", "range(0, 10, 2)"},
      {"{{ range(0)|list }}", "[]"},
      {"{{ range(3)|length }}", "3"},
      {"{{ range(9)|last }}", "8"},
      {"{{ {(1, 2): 3}[1, 2] }}", "3"},
      {"{{ {1: \"a\"}[true] }}", "a"},
      {"{{ {1.0: \"a\"}[1] }}", "a"},
  });
  expect_errors({
      "{{ dict(a=1, b=2) }}",
      "{{ dict({\"x\": 1}, y=2) }}",
      "{{ dict([(\"a\", 1), [\"b\", 2]]) }}",
      "{{ dict([(1, 2, 3)]) }}",
      "{{ dict([1]) }}",
      "{{ namespace(nosuch) }}",
      "{{ namespace([1]) }}",
      "{{ dict({}, {}) }}",
      "{{ range() }}",
      "{{ range(\"a\") }}",
      "{{ range(1, 2, 0) }}",
      "{{ range(1,2,3,4) }}",
      "{{ {[]: 1} }}",
      "{{ dict([([], 1)]) }}",
      "{{ dict([]) }}",
      "{{ {[1]: 2}[0] }}",
      "{{ {(1,[2]): 3} }}",
  });
}

TEST(Interpreter, RaisesWhatTheTemplateSays) {
  expect_errors({
      "{{ raise_exception(\"no \" ~ 1) }}",
      "{{ raise_exception(1) }}",
      "{{ raise_exception() }}",
  });
}

TEST(Interpreter, FormatsTheTime) {
  expect_rendered({
      {"{{ strftime_now(\"%Y\")|length }}", "4"},
      {"{{ strftime_now(\"\") }}", ""},
      {"{{ strftime_now(\"%d %b\")|length }}", "6"},
  });
  expect_errors({
      "{{ strftime_now(1) }}",
  });
}

}  // namespace
}  // namespace llama_gpu::text::jinja
