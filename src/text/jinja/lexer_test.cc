// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/template_fixture.h"

// What is expected is what Jinja2 gives.

namespace llama_gpu::text::jinja {
namespace {

TEST(Lexer, CutsWhitespaceAsTheTagsSay) {
  expect_rendered({
      {"a \n {%- if true %} b {%- endif %} c", "a b c"},
      {"a {{- 1 -}} b", "a1b"},
      {"  {% if true %}\n  x\n  {% endif %}\ny", "  x\ny"},
      {"  {%+ if true %}x{% endif %}", "  x"},
      {"a\n  {{ 1 }}\n", "a\n  1"},
      {"{% if true +%}\nx{% endif %}", "\nx"},
      {"x {#- note -#} y", "xy"},
      {"  {# note #}\nz", "z"},
      {"a {# n +#}\nb", "a \nb"},
      {"{#-#}x", "x"},
  });
}

TEST(Lexer, DropsOneLineEndAtTheEnd) {
  expect_rendered({
      {"a\n", "a"},
      {"a\n\n", "a\n"},
      {"a\r\n", "a"},
      {"a\rb\r\nc", "a\nb\nc"},
      {"\n", ""},
      {"", ""},
  });
}

TEST(Lexer, KeepsRawBlocks) {
  expect_rendered({
      {"{% raw %}{{ x }} {% if %}{% endraw %}", "{{ x }} {% if %}"},
      {"a {%- raw -%}  {{ b }}  {%- endraw -%} c", "a{{ b }}c"},
      {"{% raw %}\n  {% endraw %}\nx", "\nx"},
      {"{% raw %}{% end %}{% endraw %}", "{% end %}"},
  });
  expect_errors({
      "{% raw %}{% endraw",
      "{% raw %}{% endraw x %}",
  });
}

TEST(Lexer, ReadsNumbers) {
  expect_rendered({
      {"{{ 1_000 }}", "1000"},
      {"{{ 0x1F }}", "31"},
      {"{{ 0b101 }}", "5"},
      {"{{ 0o17 }}", "15"},
      {"{{ 1e3 }}", "1000.0"},
      {"{{ 1.5e-3 }}", "0.0015"},
      {"{{ 1.0 }}", "1.0"},
      {"{{ 12_3.5 }}", "123.5"},
      {"{{ 0 }}", "0"},
      {"{{ 00 }}", "0"},
      {"{{ [1,2.5] }}", "[1, 2.5]"},
      {"{{ 1.e }}", ""},
      {"{{ 9223372036854775807 }}", "9223372036854775807"},
      {"{{ 3.14e2 }}", "314.0"},
      {"{{ 1E2 }}", "100.0"},
      {"{{ 2e+3 }}", "2000.0"},
  });
  expect_errors({
      "{{ 007 }}",
  });
}

TEST(Lexer, ReadsStrings) {
  expect_rendered({
      {"{{ 'a\\n\\t\\\\\\'\\\"\\x41\\u00e9\\U0001F600\\101\\d' }}", "a\n\t\\'\"Aé😀A\\d"},
      {"{{ \"it's\" }}", "it's"},
      {"{{ 'a' 'b' \"c\" }}", "abc"},
      {"{{ '\\8' }}", "\\8"},
      {"{{ 'a\nb' }}", "a\nb"},
      {"{{ '\\a\\b\\f\\v'|length }}", "4"},
  });
  expect_errors({
      "{{ '\\x4' }}",
      "{{ 'abc }}",
      "{{ \"a\\",
  });
}

TEST(Lexer, ReadsNames) {
  expect_rendered({
      {"{{ é is undefined }}", "True"},
      {"{{ _a1 is undefined }}", "True"},
      {"{{ true }}", "True"},
      {"{{ None }}", "None"},
      {"{{ False }}", "False"},
      {"{{ none }}", "None"},
  });
}

TEST(Lexer, RefusesWhatIsNoTemplate) {
  expect_errors({
      "{{ 1",
      "{% if",
      "{# x",
      "{{ ) }}",
      "{{ (] }}",
      "{{ ! }}",
      "{{ a ? b }}",
      "{{ $ }}",
      "{{ {1: [2, (3} }}",
      "{{ }}",
      "{%  %}",
  });
}

}  // namespace
}  // namespace llama_gpu::text::jinja
