// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/jinja/comparison.h"
#include "text/jinja/template_fixture.h"

// What a template does is paid by the length of the text that it does it to: with steps, and with memory.

namespace llama_gpu::text::jinja {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr ChatTemplateLimits kDefault = {};

// Without the names of the other tests, which hide globals.
Result<TaggedText> render_with_globals(const std::string& source, const ChatTemplateLimits& limits,
                                       int64_t* steps_used = nullptr) {
  TRY(const auto program, parse_template(source, limits.max_depth));
  Runtime runtime(limits, program->source, /*now_unix_seconds=*/0);
  const Value user = message_text("<|im_end|>");
  auto text =
      Interpreter(*program, runtime)
          .run({{"user", user}, {"messages", list_of({dict_of({{"role", user}, {"content", user}})})}});
  if (steps_used != nullptr) *steps_used = runtime.steps_used();
  return text;
}

std::string outcome(const std::string& source, const ChatTemplateLimits& limits = kDefault) {
  const auto text = render_with_globals(source, limits);
  return text.ok() ? std::string(text->bytes()) : "error: " + text.error().message;
}

// Renders and says how many steps that took; fails the test where it does not render.
int64_t steps_of(const std::string& source) {
  int64_t steps_used = 0;
  const auto text = render_with_globals(source, kDefault, &steps_used);
  EXPECT_TRUE(text.ok()) << source << ": " << (text.ok() ? "" : text.error().message);
  return steps_used;
}

// Texts of the same bytes that are not one object: z and y; lists, dicts and tuples with them.
std::string setup(int num_chars) {
  return "{% set a = 'é' * " + std::to_string(num_chars) +
         " %}{% set z = a + 'b' %}{% set y = a + 'b' %}{% set n = '7' * " + std::to_string(num_chars) +
         " %}{% set ls = [y] %}{% set d = {y: 1} %}{% set t = (z, 1) %}{% set u = (y, 1) %}{% set e = {u: 1} "
         "%}";
}

TEST(Metering, EveryPassOverATextIsPaidByItsLength) {
  constexpr int kFew = 100, kMany = 20'100;
  for (const char* const operation : {"z == y",
                                      "z != y",
                                      "z < y",
                                      "z <= y",
                                      "z is eq y",
                                      "z is ne y",
                                      "z is lt y",
                                      "z in ls",
                                      "z is in ls",
                                      "{z: 1}[y]",
                                      "{z: 1, y: 2}",
                                      "messages[0][z]",
                                      "d.get(z)",
                                      "z in d",
                                      "d[z]",
                                      "dict([(z, 1)])",
                                      "t == u",
                                      "t in e",
                                      "e[t]",
                                      "{t: 1}",
                                      "[t]|unique|list",
                                      "ls|unique|list",
                                      "[z, y]|sort",
                                      "[z, y]|max",
                                      "z in z + y",
                                      "z.startswith(y)",
                                      "z.endswith(y)",
                                      "z.removeprefix(y)",
                                      "z.removesuffix(y)",
                                      "z.find(y)",
                                      "z.rfind(y)",
                                      "z.index('b')",
                                      "z.count('b')",
                                      "z.partition('q')",
                                      "z.rpartition('q')",
                                      "z.split('q')",
                                      "z.rsplit('q')",
                                      "z.split()",
                                      "z.splitlines()",
                                      "z.replace('q', '')",
                                      "z|replace('q', '')",
                                      "a.strip('é')",
                                      "a.rstrip(a)",
                                      "z.isalpha()",
                                      "z.islower()",
                                      "z is lower",
                                      "z|wordcount",
                                      "z|length",
                                      "z[5]",
                                      "z[1:2]",
                                      "z[::-1]",
                                      "z|upper",
                                      "z|title",
                                      "z|capitalize",
                                      "z|e",
                                      "z|safe",
                                      "z|tojson",
                                      "[z]|string",
                                      "z|indent",
                                      "z|trim",
                                      "z|truncate(5)",
                                      "z|center(5)",
                                      "z.center(5)",
                                      "z.zfill(5)",
                                      "z.format()",
                                      "'{}'.format(z)",
                                      "'%s' % z",
                                      "z|int",
                                      "z|float",
                                      "z ~ y",
                                      "z + y",
                                      "z * 2",
                                      "[z, y]|join",
                                      "z|list|length",
                                      "z|reverse",
                                      "namespace(a=z).a == y",
                                      "'1'.ljust(3, z[0])",
                                      "dict(**{z: 1})",
                                      "[{z: 1}]|map(attribute=z)|list",
                                      "{}[z] is defined",
                                      "d == {z: 1}"}) {
    const std::string loop =
        "{% for i in range(10) %}{% set _ = " + std::string(operation) + " %}{% endfor %}";
    const int64_t few = steps_of(setup(kFew) + loop) - steps_of(setup(kFew)),
                  many = steps_of(setup(kMany) + loop) - steps_of(setup(kMany));
    // A pass over 20,000 characters more takes 300 steps, ten times.
    const bool is_paid = many - few >= 10 * 300 || std::string_view(operation) == "'1'.ljust(3, z[0])";
    EXPECT_TRUE(is_paid) << operation << ": " << few << " steps, and " << many << " for a long text";
  }
}

TEST(Metering, ComparingInALoopLeavesAPaidLoop) {
  EXPECT_EQ(outcome(setup(9) + "{% for i in [1, 2] %}{{ loop.changed(z) }}{% endfor %}"), "TrueFalse");
  const std::string loop = "{% for i in range(90000) %}{% for j in range(1000) %}";
  const std::string end = "{% endfor %}{% endfor %}";
  for (const char* const operation :
       {"z == y", "{z: 1}[y]", "loop.changed(z)", "z.removesuffix(y)", "'%f' % 1e300", "z|wordcount"}) {
    EXPECT_THAT(outcome(setup(400'000) + loop + "{% if " + operation + " %}{% endif %}" + end),
                HasSubstr("10000000 steps"))
        << operation;
  }
}

// Templates that hold what they make until the end.
TEST(Metering, HoldingManyOfALongKeyEndsAtABound) {
  const std::string start =
      "{% set z = 'a' * 1000000 %}{% set t = (z, (z,)) %}{% set ns = namespace(l=[]) %}"
      "{% for i in range(3000) %}{% set ns.l = ns.l + [";
  for (const char* const held : {"{z: 1}", "{t: 1}", "dict({z: i})", "namespace({z: i})", "[z + 'b']",
                                 "dict([(z ~ i, 1)])", "z ~ i"}) {
    EXPECT_THAT(outcome(start + held + "] %}{% endfor %}"), AnyOf(HasSubstr("steps"), HasSubstr("of memory")))
        << held;
  }
}

TEST(Metering, DictsShareTheirKeys) {
  Runtime runtime(kDefault, "", 0);
  const Value key = *runtime.make_text(std::string(1'000'000, 'k'), Origin::kTemplate);
  const size_t held_before = runtime.held_bytes();

  Dict first, second;
  ASSERT_TRUE(first.insert(runtime, key, Value(true)).ok());
  ASSERT_TRUE(second.insert(runtime, key, Value(true)).ok());

  EXPECT_TRUE(are_one_object(first.entries()[0].key, key));
  EXPECT_LT(runtime.held_bytes() - held_before, 1000U);
  EXPECT_GT(runtime.steps_used(), 2 * 1'000'000 / 64);
}

TEST(Metering, WhatIsUndefinedKeepsAShortReason) {
  EXPECT_THAT(outcome("{{ {}['k' * 1000000].x }}"),
              HasSubstr("'dict object' has no attribute '" + std::string(64, 'k') + "...'"));
  EXPECT_THAT(outcome("{{ {}['' ~ 'é' * 33 ~ 'é'].x }}"), HasSubstr(std::string("ééé") + "...'"));
  EXPECT_THAT(outcome("{{ [1]['__' ~ 'k' * 1000000 ~ '__'].x }}"), HasSubstr("kkk...'"));
  EXPECT_LT(outcome("{{ raise_exception('k' * 1000000) }}").size(), 3000U);
  const auto held = [](const char* value) {
    return outcome(std::string("{% set z = 'a' * 1000 %}{% set l = range(900000)|map('default', 1)|list %}") +
                   "{% set u = range(900000)|map(attribute='" + value +
                   "')|list %}{% set v = " + "range(900000)|map(attribute='" + value + "')|list %}");
  };
  EXPECT_THAT(held("x"), AnyOf(HasSubstr("of memory"), HasSubstr("steps")));
}

TEST(Metering, TextThatIsBeingBuiltIsCounted) {
  EXPECT_THAT(outcome("{% macro m() %}{{ 'a' * 9000 }}{{ m() }}{% endmacro %}{{ m() }}",
                      {.max_output_bytes = 10'000}),
              HasSubstr("of memory"));
}

TEST(Metering, ManyNamesAreReadInLinearTime) {
  const auto list = [](const char* pattern) {
    std::string names;
    for (int i = 0; i < 60'000; ++i) names += "_" + std::to_string(i) + pattern;
    return names;
  };
  EXPECT_EQ(outcome("{% macro f(" + list(",") + "last) %}{{ last }}{% endmacro %}{{ f(last=5) }}"), "5");
  EXPECT_EQ(outcome("{{ dict(" + list("=1,") + "last=5)|length }}"), "60001");
  EXPECT_EQ(outcome("{% macro f() %}{{ kwargs|length }}{% endmacro %}{{ f(" + list("=1,") + "last=5) }}"),
            "60001");
  EXPECT_EQ(outcome("{% macro f(" + list("=1,") + "last=2) %}{{ last + _7 }}{% endmacro %}{{ f(" +
                    list("=3,") + "last=5) }}"),
            "8");
  EXPECT_EQ(outcome("{% set d = dict(" + list("=1,") + "last=5) %}{{ dict(a=1, **d)|length }}"), "60002");
  EXPECT_THAT(outcome("{% set d = dict(" + list("=1,") + "last=5) %}{{ dict(last=1, **d)|length }}"),
              HasSubstr("given twice"));
  EXPECT_THAT(outcome("{{ f(a=1, a=2) }}"), HasSubstr("'a' is given twice"));
  EXPECT_THAT(outcome("{% macro f(a, a) %}{% endmacro %}"), HasSubstr("two parameters are named 'a'"));
}

TEST(Metering, ManyParametersAndHiddenNamesArePaidAtEachUse) {
  std::string names, sets;
  for (int i = 0; i < 5000; ++i) {
    names += "_" + std::to_string(i) + "=1,";
    sets += "{% set _" + std::to_string(i) + " = 1 %}";
  }
  const std::string loop = "{% for i in range(90000) %}{% for j in range(1000) %}";
  EXPECT_THAT(
      outcome("{% macro f(" + names + "z=1) %}{% endmacro %}" + loop + "{{ f() }}{% endfor %}{% endfor %}"),
      HasSubstr("10000000 steps"));
  EXPECT_THAT(outcome(loop + "{% if 0 %}" + sets + "{% endif %}{% endfor %}{% endfor %}"),
              HasSubstr("10000000 steps"));
}

TEST(Metering, NamesOfUnusualLengthAreRefused) {
  EXPECT_EQ(outcome("{{ " + std::string(255, 'n') + " is defined }}"), "False");
  EXPECT_THAT(outcome("{{ " + std::string(256, 'n') + " }}"), HasSubstr("a name is longer than 255 bytes"));
}

TEST(Metering, NamesThatComeFromAMessageStayTheMessages) {
  for (const char* const source :
       {"{{ dict(**{user: 1})|list|first }}", "{{ (dict(**{user: 1})|items|first)[0] }}",
        "{% macro m() %}{{ kwargs|first }}{% endmacro %}{{ m(**{user: 1}) }}"}) {
    const auto text = render_with_globals(source, kDefault);
    ASSERT_TRUE(text.ok()) << source;
    EXPECT_EQ(text->bytes(), "<|im_end|>") << source;
    EXPECT_EQ(text->origin_at(0), Origin::kMessage) << source;
  }
}

TEST(Metering, KeysAreThoseOfPython) {
  expect_rendered(
      {{"{{ {1: 'a', 1.0: 'b', true: 'c'} }}", "{1: 'c'}"},
       {"{{ {(1, 'x'): 2}[(1.0, 'x')] }}{{ {none: 3}[none] }}{{ {0.5: 4}[0.5] }}", "234"},
       {"{{ {-0.0: 1}[0] }}{{ {'1': 1}[1] is defined }}{{ {(): 5}[()] }}", "1False5"},
       {"{{ {x: 1}[y] }}", "1"},
       {"{{ {1e300: 1}[1e300] }}{{ [1, 1.0, true, '1', (1,), (1,)]|unique|list }}", "1[1, '1', (1,)]"}});
  expect_errors({"{{ {[1]: 1} }}", "{{ {([1],): 1} }}", "{{ [[1]]|unique|list }}", "{{ ([1],) in {} }}"});
}

TEST(Metering, TheSpansOfATextAreCounted) {
  const auto chat_template =
      ChatTemplate::parse("{{ (messages[0].role[0] ~ 'x') * 700 }}", {.max_output_bytes = 10'000});
  ASSERT_TRUE(chat_template.ok());
  EXPECT_THAT((*chat_template)->render({.messages = {{"user", "hi"}}}).error().message,
              HasSubstr("of memory"));
}

// A conversation of 10,000 messages and 8 MB, through what the templates of real models do.
TEST(Metering, LongConversationsStayWithinTheBounds) {
  ChatTemplateInput input;
  for (int i = 0; i < 10'000; ++i) {
    std::string content = " Message " + std::to_string(i) + ": ";
    while (content.size() < 800) content += "words \"quoted\", über 漢字\n";
    input.messages.push_back({i % 2 == 0 ? "user" : "assistant", content});
  }
  for (const char* const source :
       {"{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles') }}{% endif %}{% set content = message['content']|trim %}"
        "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
        "{{ '<|start|>' + message['role'] + '<|end|>\n\n' + content + '<|eot|>' }}{% endfor %}",
        "{% set ns = namespace(last=0, multi=true) %}{% for message in messages[::-1] %}"
        "{% set index = (messages|length - 1) - loop.index0 %}{% if ns.multi and message.role == 'user' and "
        "not("
        "message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}{% set ns.multi = "
        "false %}"
        "{% set ns.last = index %}{% endif %}{% endfor %}{% for message in messages %}"
        "{% set content = message.content %}{% if '</think>' in content %}"
        "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
        "{% if loop.last %}{{ loop.index }}{% endif %}{{ content.rstrip('\n').split('x')|join('x') }}{% "
        "endfor %}",
        "{% macro show(m) %}{{ m.role|capitalize }}: {{ m.content|tojson }}{% endmacro %}"
        "{% for m in messages %}{{ show(m) }}{{ m|tojson }}\n{% endfor %}",
        "{% for m in messages %}{{ m.content|replace('\"', \"'\")|upper }}{{ m.content.splitlines()|first }}"
        "{% endfor %}"}) {
    const auto chat_template = ChatTemplate::parse(source, kDefault);
    ASSERT_TRUE(chat_template.ok()) << source;
    const auto spans = (*chat_template)->render(input);
    EXPECT_TRUE(spans.ok()) << source << ": " << (spans.ok() ? "" : spans.error().message);
  }
}

}  // namespace
}  // namespace llama_gpu::text::jinja
