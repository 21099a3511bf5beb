// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/template_fixture.h"

// What is expected is what Jinja2 gives.

namespace llama_gpu::text::jinja {
namespace {

TEST(ExpressionParser, BindsOperatorsAsPythonDoes) {
  expect_rendered({
      {"{{ 1 + 2 * 3 }}", "7"},
      {"{{ (1 + 2) * 3 }}", "9"},
      {"{{ 2 ** 3 ** 2 }}", "64"},
      {"{{ -2 ** 2 }}", "4"},
      {"{{ 10 - 3 - 2 }}", "5"},
      {"{{ 7 // 2 % 2 }}", "1"},
      {"{{ not true or true }}", "True"},
      {"{{ 1 < 2 < 3 }}", "True"},
      {"{{ 1 < 3 < 2 }}", "False"},
      {"{{ not 1 == 2 }}", "True"},
      {"{{ 1 in [1] and 2 not in [1] }}", "True"},
      {"{{ -5|abs }}", "5"},
      {"{{ - 5 + 3 }}", "-2"},
      {"{{ +3 }}", "3"},
      {"{{ --3 }}", "3"},
      {"{{ 3 if false else 4 if true else 5 }}", "4"},
      {"{{ 'a' if false }}", ""},
      {"{{ 1 == 1.0 == true }}", "True"},
      {"{{ not not 1 }}", "True"},
  });
  expect_errors({
      "{{ 1 + 2 ~ 3 * 2 }}",
  });
}

TEST(ExpressionParser, BuildsListsDictsAndTuples) {
  expect_rendered({
      {"{{ [1, 2,] }}", "[1, 2]"},
      {"{{ {\"a\": 1, 1: [2],} }}", "{'a': 1, 1: [2]}"},
      {"{{ (1,) }}", "(1,)"},
      {"{{ () }}", "()"},
      {"{{ (1, 2) }}", "(1, 2)"},
      {"{{ 1, 2 }}", "(1, 2)"},
      {"{{ [[], {}] }}", "[[], {}]"},
      {"{{ {} }}", "{}"},
      {"{{ (1) }}", "1"},
  });
}

TEST(ExpressionParser, TakesAttributesItemsAndSlices) {
  expect_rendered({
      {"{{ dict.b }}", "1"},
      {"{{ dict['a'] }}", "x"},
      {"{{ dict.items()|list }}", "[('b', 1), ('a', 'x'), ('items', 2)]"},
      {"{{ dict['items'] }}", "2"},
      {"{{ list[0] }}", "3"},
      {"{{ list[-1] }}", "2"},
      {"{{ list.0 }}", "3"},
      {"{{ list[1:] }}", "[1, 2]"},
      {"{{ list[::-1] }}", "[2, 1, 3]"},
      {"{{ list[:-1] }}", "[3, 1]"},
      {"{{ text[1:4] }}", "ell"},
      {"{{ text[::-1] }}", "dlroW olleH"},
      {"{{ text[-3:] }}", "rld"},
      {"{{ text[::2] }}", "HloWrd"},
      {"{{ text[4:1:-1] }}", "oll"},
      {"{{ text[::-2] }}", "drWolH"},
      {"{{ (1,2,3)[1:] }}", "(2, 3)"},
      {"{{ range(10)[2:8:3] }}", "range(2, 8, 3)"},
      {"{{ range(10)[::-1] }}", "range(9, -1, -1)"},
      {"{{ list[5:] }}", "[]"},
      {"{{ dict.zz }}", ""},
      {"{{ list[9] }}", ""},
      {"{{ text[99] }}", ""},
      {"{{ list[none:1] }}", "[3]"},
      {"{{ dict[1,2] }}", ""},
      {"{{ list[\"a\"] }}", ""},
      {"{{ text.nosuch }}", ""},
      {"{{ range(9)[3] }}", "3"},
      {"{{ text[1] }}", "e"},
      {"{{ list[true] }}", "1"},
      {"{{ range(5)[9] }}", ""},
  });
  expect_errors({
      "{{ list[::0] }}",
      "{{ dict[1:] }}",
      "{{ list[\"a\":] }}",
      "{{ list[1:2:3:4] }}",
      "{{ list[1 }}",
  });
}

TEST(ExpressionParser, PassesArguments) {
  expect_rendered({
      {"{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{{ m(*[4, 5]) }}{{ "
       "m(**{'a': 6}) }}{{ m(1, 2,) }}",
       "1213456212"},
      {"{{ range(1, *[5])|list }}", "[1, 2, 3, 4]"},
  });
  expect_errors({
      "{{ m(a=1, 2) }}",
      "{{ m(*[1], 2) }}",
      "{{ m(**{}, **{}) }}",
      "{{ m(a=1, a=2) }}",
      "{{ m(1 2) }}",
      "{{ dict(**{1: 2}) }}",
      "{{ dict(**[1]) }}",
      "{{ dict(a=1, **{\"a\": 2}) }}",
      "{{ dict(*1) }}",
  });
}

TEST(ExpressionParser, ChainsFiltersAndTests) {
  expect_rendered({
      {"{{ text|upper|lower|length }}", "11"},
      {"{{ 3 is odd }}", "True"},
      {"{{ 3 is not even }}", "True"},
      {"{{ 4 is divisibleby 2 }}", "True"},
      {"{{ 4 is divisibleby(3) }}", "False"},
      {"{{ 'a' is in ['a'] }}", "True"},
      {"{{ 1 is eq 1 }}", "True"},
      {"{{ x is defined }}", "False"},
      {"{{ x is not defined }}", "True"},
      {"{{ none is none and 1 }}", "1"},
      {"{{ [1]|first is number }}", "True"},
      {"{{ text|upper() }}", "HELLO WORLD"},
  });
  expect_errors({
      "{{ 1 is number is odd }}",
      "{{ 1 is nosuch }}",
      "{{ 1|nosuch }}",
      "{{ 1 is a.b }}",
      "{{ 1|a.b }}",
  });
}

TEST(ExpressionParser, AllowsUnknownFiltersInBranches) {
  expect_rendered({
      {"{% if false %}{{ 1|nosuch }}{{ 1 is nosuch }}{% endif %}x", "x"},
      {"{{ 1 if true else 2|nosuch }}", "1"},
      {"{{ (1 if true else 2 is nosuch) }}", "1"},
  });
  expect_errors({
      "{% if true %}{{ 1|nosuch }}{% endif %}",
      "{% if 1 is nosuch %}{% endif %}",
      "{% for x in [] %}{{ 1|nosuch }}{% endfor %}",
      "{% if false %}{% for x in [] %}{{ 1|nosuch }}{% endfor %}{% endif %}",
      "{% set x %}{{ 1 is nosuch }}{% endset %}",
  });
}

TEST(ExpressionParser, RefusesBrokenExpressions) {
  expect_errors({
      "{{ 1 + }}",
      "{{ * 2 }}",
      "{{ a..b }}",
      "{{ a. }}",
      "{{ [1, 2 }}",
      "{{ {1 2} }}",
      "{{ {1:} }}",
      "{{ (1, 2 }}",
      "{{ x if }}",
      "{{ 1 is }}",
      "{{ a| }}",
      "{{ a b }}",
      "{{ [,] }}",
      "{{ \"a\" is string is string }}",
      "{{ 99999999999999999999 +  }}",
      "{{ a.+ }}",
  });
}

}  // namespace
}  // namespace llama_gpu::text::jinja
