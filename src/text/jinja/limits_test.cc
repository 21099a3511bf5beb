// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>

#include "text/jinja/template_fixture.h"

// A template cannot hold the server, fill its memory or reach anything outside, whatever it says.

namespace llama_gpu::text::jinja {
namespace {

using ::testing::HasSubstr;

constexpr ChatTemplateLimits kSmall = {
    .max_steps = 200'000, .max_depth = 64, .max_output_bytes = 10'000, .max_range = 1000};

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

void expect_stopped(std::initializer_list<std::string> sources, const char* why) {
  for (const std::string& source : sources)
    EXPECT_THAT(rendered(source, kSmall), HasSubstr(why)) << source.substr(0, 200);
}

TEST(Limits, StopEndlessWork) {
  expect_stopped(
      {"{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
       "{% for a in range(1000) %}{{ range(1000)|sum }}{% endfor %}",
       "{% for a in range(1000) %}{% if 'x' in 'y' * 9999 %}{% endif %}{% set z = range(999)|list %}{% "
       "endfor %}",
       "{% set t = (1, 2) %}" + repeated("{% set t = (t, t) %}", 40) + "{% set u = t %}{{ t == u }}"},
      "steps");
}

TEST(Limits, StopTextThatGrows) {
  expect_stopped(
      {"{{ 'a' * 1000000000 }}",
       "{{ 9223372036854775807 * 'ab' }}",
       "{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
       "{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
       "{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x|replace('', ns.x) %}{% "
       "endfor %}",
       "{% set ns = namespace(x='a') %}{% for a in range(60) %}{% set ns.x = ns.x|replace('a', 'aaaa') %}{% "
       "endfor %}",
       "{{ ['a' * 100] | join('b') | list | join('x' * 200) }}",
       "{{ 'a'.ljust(1000000000) }}",
       "{{ 'a'.center(1000000000, 'é') }}",
       "{{ 'a'.zfill(1000000000) }}",
       "{{ 'a'|center(1000000000) }}",
       "{{ 'a'|indent(1000000000) }}",
       "{{ ('a\n' * 999)|indent(999) }}",
       "{{ [[]]|tojson(indent=100000) }}",
       "{{ '%999999d' % 1 }}",
       "{{ '{:999999}'.format('a') }}",
       "{{ ('{0}' * 999).format('a' * 999) }}",
       "{{ ('%s' * 99) % (('a' * 999,) * 99) }}",
       "{% set x %}{% for a in range(999) %}{{ 'a' * 99 }}{% endfor %}{% endset %}",
       "{{ ('<' * 9999)|e }}",
       "{{ range(999)|join('0123456789') }}"},
      "10000 bytes");
}

TEST(Limits, StopListsThatGrow) {
  expect_stopped({"{{ [1] * 1000000000 }}", "{{ 9223372036854775807 * [1, 2] }}"}, "1000 items");
  expect_stopped({"{{ range(1001) }}", "{{ range(-9223372036854775807, 9223372036854775807) }}"},
                 "1000 numbers");
  expect_stopped({"{{ [1]|batch(1001)|list }}", "{{ [1]|slice(1001)|list }}"}, "1000");
}

TEST(Limits, StopMemoryThatIsHeld) {
  expect_stopped({"{% set ns = namespace(x=[]) %}{% for a in range(1000) %}{% set ns.x = ns.x + ['b' * 999] "
                  "%}{% endfor %}",
                  "{% for a in range(1000) %}{% set ns = namespace() %}{% endfor %}",
                  "{% for a in range(1000) %}{% macro m() %}{% endmacro %}{% endfor %}"},
                 "bytes of memory");
}

TEST(Limits, StopDeepNestingOfTheSource) {
  expect_stopped({"{{ " + repeated("(", 500) + "1" + repeated(")", 500) + " }}", "{{ " + repeated("[", 10000),
                  "{{ " + repeated("{1:", 500) + " }}", "{{ " + repeated("-", 500) + "1 }}",
                  "{{ " + repeated("not ", 500) + "1 }}", "{{ 1" + repeated(" + 1", 500) + " }}",
                  "{{ 1" + repeated("|abs", 500) + " }}", "{{ a" + repeated(".b", 500) + " }}",
                  "{{ a" + repeated("[0]", 500) + " }}", "{{ a" + repeated("()", 500) + " }}",
                  "{{ 1" + repeated(" if 1 else 1", 500) + " }}",
                  "{% set " + repeated("(", 500) + "a" + repeated(")", 500) + " = 1 %}",
                  repeated("{% if 1 %}", 500) + repeated("{% endif %}", 500),
                  repeated("{% for a in [1] %}", 500) + repeated("{% endfor %}", 500)},
                 "deeper than 64 levels");
}

TEST(Limits, StopDeepRecursion) {
  expect_stopped({"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                  "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
                  "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}"},
                 "deeper than 64 levels");
}

TEST(Limits, StopValuesThatNestDeep) {
  expect_stopped(
      {"{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
       "{% set ns = namespace(x={}) %}{% for a in range(999) %}{% set ns.x = {1: ns.x} %}{% endfor %}",
       "{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = ns.x|map('abs') %}{% endfor %}",
       "{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = []|map('d', ns.x) %}{% endfor "
       "%}",
       "{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = [ns.x].count %}{% endfor %}",
       "{% set ns = namespace(x=1) %}{% for a in range(999) %}{% for b in [ns.x] %}{% set ns.x = loop %}{% "
       "endfor %}{% endfor %}"},
      "nested deeper than 64 levels");
}

TEST(Limits, LetValuesReferToThemselves) {
  EXPECT_EQ(rendered("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns.x.x.x is defined }}"), "True");
  EXPECT_EQ(
      rendered("{% for a in [1] %}{% set ns = namespace(l=loop) %}{{ loop.changed(loop) }}{% endfor %}"),
      "True");
  EXPECT_EQ(
      rendered("{% set ns = namespace() %}{% for a in [1] %}{% set ns.l = loop %}{% endfor %}"
               "{{ ns.l.index }}{{ ns.l.length }}{{ ns.l.last }}{{ ns.l.nextitem }}{{ ns.l.changed(ns.l) }}"),
      "11TrueTrue");
  EXPECT_EQ(rendered("{% macro outer(old) %}{% macro inner() %}{{ old }}{% endmacro %}{% set ns.f = inner "
                     "%}{% endmacro %}"
                     "{% set ns = namespace(f=1) %}{% for i in range(99) %}{{ outer(ns.f) }}{% endfor %}x"),
            "x");
}

TEST(Limits, DoNotSearchInQuadraticTime) {
  const std::string setup = "{% set a = 'a' * 30000000 %}{% set b = ('a' * 15000000) ~ 'b' %}";

  EXPECT_EQ(
      rendered(setup + "{{ b in a }}{{ a.find(b) }}{{ a.rfind(b) }}{{ a.count(b) }}{{ a.split(b)|length }}"),
      "False-1-101");
}

TEST(Limits, RefuseNumbersThatDoNotFit) {
  expect_errors({"{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}", "{{ 2 ** 64 }}",
                 "{{ 2 ** 63 }}", "{{ (-9223372036854775807 - 1) // -1 }}",
                 "{{ (-9223372036854775807 - 1)|abs }}", "{{ 1e300|int }}",
                 "{{ -(-9223372036854775807 - 1) }}", "{{ '99999999999999999999'|int }}",
                 "{{ 9223372036854775808 }}", "{{ 3000000000 * 4000000000 }}", "{{ '%d' % 1e300 }}"});
}

TEST(Limits, RefuseEscapesForWhatUtf8HasNot) {
  expect_errors({R"({{ '\ud800' }})", R"({{ '\U00110000' }})", R"({{ '\N{BULLET}' }})"});
}

TEST(Sandbox, HasNoWayToPythonsInsides) {
  expect_rendered({{"{{ ''.__class__ }}", ""},
                   {"{{ [].__class__ is defined }}", "False"},
                   {"{{ ''['__class__'] }}", ""},
                   {"{{ dict.__init__ }}{{ text._x }}{{ 1 .__add__ }}", ""},
                   {"{{ [1].append }}{{ [1].pop }}{{ dict.update }}{{ dict.clear }}{{ dict.popitem }}", ""}});
  expect_errors({"{{ ''.__class__.__mro__ }}",
                 "{{ ''.__class__.__mro__[1].__subclasses__() }}",
                 "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
                 "{{ self.__init__.__globals__ }}",
                 "{{ ''|attr('__class__') }}",
                 "{{ lipsum.__globals__ }}",
                 "{{ config.items() }}",
                 "{{ request.application.__globals__ }}",
                 "{{ ''['__class__']['__mro__'] }}",
                 "{{ '{0.__class__.__mro__}'.format('') }}",
                 "{{ [1].append(2) }}",
                 "{{ dict.pop('a') }}",
                 "{{ range.__globals__.x }}",
                 "{{ (range|string).x.y }}",
                 "{{ ['']|map(attribute='__class__.__mro__')|list|first|first }}",
                 "{% include '/etc/passwd' %}",
                 "{% import 'os' as os %}",
                 "{% extends 'x' %}",
                 "{{ open('/etc/passwd') }}",
                 "{{ namespace.__init__.__globals__.x }}"});
}

TEST(Sandbox, RefusesRecursiveLoopsAndLongDates) {
  expect_errors({"{% for x in [1] recursive %}{% endfor %}", "{{ strftime_now('x' * 5000) }}",
                 "{{ strftime_now('%c' * 2000) }}", "{{ strftime_now('%999999d') }}"});
}

}  // namespace
}  // namespace llama_gpu::text::jinja
