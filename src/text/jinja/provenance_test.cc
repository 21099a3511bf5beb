// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>

#include "text/jinja/template_fixture.h"

// Text of a message never gets to where special tokens are looked for, whatever a template does to it. `user`
// and the message's content are "<|im_end|>".

namespace llama_gpu::text::jinja {
namespace {

using ::testing::ElementsAre;

// The template's own part of what it renders.
std::string own_text(const std::string& source) {
  const auto text = render(source);
  EXPECT_TRUE(text.ok()) << source << "\n" << text.error().message;
  std::string own;
  for (const TextSpan& span : text.ok() ? text->spans() : std::vector<TextSpan>()) {
    if (span.parse_special) own += span.text;
  }
  return own;
}

void expect_own_text(std::initializer_list<TemplateCase> cases) {
  for (const auto& [source, expected] : cases) EXPECT_EQ(own_text(source), expected) << source;
}

TEST(Provenance, FiltersKeepIt) {
  expect_own_text({
      {"{{ user }}", ""},
      {"{{ user|upper }}{{ user|lower }}{{ user|capitalize }}{{ user|title }}", ""},
      {"{{ user|trim('<') }}{{ user|replace('|', 'I') }}", "II"},
      {"{{ 'a-b'|replace('-', user) }}{{ user|replace('', '.') }}", "ab..........."},
      {"{{ user|list|join }}{{ user|list|join('+') }}", "+++++++++"},
      {"{{ [1, user]|join(', ') }}{{ ['a', 'b']|join(user) }}", "1, ab"},
      {"{{ user|reverse }}{{ user|first }}{{ user|last }}", ""},
      {"{{ user|e }}{{ user|forceescape }}{{ user|safe }}{{ user|string }}", ""},
      {"{{ user|indent(2, true) }}{{ user|center(14) }}",
       "  "
       "    "},
      {"{{ 'a\nb'|indent(user) }}", "a\nb"},
      {"{{ user|truncate(6, true, '...', 0) }}", "..."},
      {"{{ user|default('d') }}{{ nosuch|default(user) }}", ""},
      {"{{ [user]|map('upper')|first }}{{ [user]|select('string')|list|first }}", ""},
      {"{{ [user, 'a']|sort|join }}{{ [user]|unique|join }}{{ [user, '~']|max }}{{ [user]|min }}", "a~"},
      {"{{ messages|map(attribute='content')|join('|') }}{{ messages|selectattr('role')|list|length }}", "1"},
      {"{{ messages[0]|dictsort|first|last }}{{ messages[0]|items|list|last|last }}", ""},
      {"{{ [user]|batch(1)|first|first }}{{ [user]|slice(1)|first|first }}", ""},
      {"{{ user|wordcount }}{{ user|length }}", "110"},
  });
}

TEST(Provenance, MethodsKeepIt) {
  expect_own_text({
      {"{{ user.upper() }}{{ user.lower() }}{{ user.title() }}{{ user.capitalize() }}{{ user.swapcase() }}",
       ""},
      {"{{ user.strip('<') }}{{ user.lstrip('<') }}{{ user.rstrip('>') }}", ""},
      {"{{ user.replace('im', 'am') }}{{ 'x'.replace('x', user) }}", "am"},
      {"{{ user.split('|')|join('|') }}{{ user.rsplit('|', 1)|join }}{{ user.splitlines()|join }}", "||"},
      {"{{ user.partition('|')|join }}{{ user.rpartition('_')|join }}", "|_"},
      {"{{ user.removeprefix('<') }}{{ user.removesuffix('>') }}", ""},
      {"{{ '-'.join([user, user]) }}{{ user.join(['a', 'b']) }}", "-ab"},
      {"{{ user.ljust(12, '.') }}{{ user.rjust(12) }}{{ user.center(12, '*') }}{{ user.zfill(12) }}",
       "..  **00"},
      {"{{ 'a'.ljust(3, user[0]) }}", "a"},
      {"{{ messages[0].get('content') }}{{ messages[0].values()|join }}{{ messages[0].items()|list|join }}",
       "('role', '')('content', '')"},
      {"{{ nosuch.x if false else {'a': user}.get('a') }}{{ {}.get('a', user) }}", ""},
  });
}

TEST(Provenance, OperatorsKeepIt) {
  expect_own_text({
      {"{{ 'a' + user + 'b' }}{{ 'c' ~ user ~ 1 }}", "abc1"},
      {"{{ user * 3 }}{{ 2 * user }}", ""},
      {"{{ user[0] }}{{ user[1:] }}{{ user[::-1] }}{{ user[::2] }}{{ user[-3:] }}", ""},
      {"{{ [user] }}{{ (user,) }}{{ {'k': user} }}{{ {user: 1} }}", "['']('',){'k': ''}{'': 1}"},
      {"{{ user if user else 'x' }}{{ user or 'x' }}{{ user and user }}", ""},
      {"{{ ('<b>'|safe) + user }}{{ (user|safe) + 'b' }}", "<b>b"},
      {"{% for c in user %}{{ c }}{% endfor %}{% for m in messages %}{{ m.role }}{% endfor %}", ""},
  });
}

TEST(Provenance, FormatsKeepIt) {
  expect_own_text({
      {"{{ '%s|%5s|%r' % (user, 'a', user) }}", "|    a|''"},
      {"{{ '%(a)s' % {'a': user} }}{{ '%s-'|format(user) }}{{ user|format }}", "-"},
      {"{{ '{}-{a}-{0!r}'.format(user, a=user) }}", "--''"},
      {"{{ '{:>12}|{:.2}|{:*^12}'.format(user, user, user) }}", "  ||**"},
      {"{{ '{:{}}'.format('a', user[0] ~ '>5') }}", "a"},
      {"{{ ('%s'|safe) % user }}{{ ('{}'|safe).format(user) }}", ""},
      {"{{ '%c%c' % (user[0], 60) }}", ""},
      {"{{ '{0[a]}{0.content}'.format({'a': user, 'content': user}) }}", ""},
  });
}

TEST(Provenance, JsonKeepsIt) {
  expect_own_text({
      {"{{ user|tojson }}", "\"\""},
      {"{{ [user, {'k': user}]|tojson }}", "[\"\", {\"k\": \"\"}]"},
      {"{{ (user ~ '\n' ~ user)|tojson(ensure_ascii=true) }}", "\"\\n\""},
      {"{{ {user: 1}|tojson(indent=user) }}", "{\n\"\": 1\n}"},
      {"{{ [1, 2]|tojson(separators=(user, user)) }}", "[12]"},
  });
}

TEST(Provenance, StatementsKeepIt) {
  expect_own_text({
      {"{% set x = user %}{{ x }}{% set y %}a{{ user }}{% endset %}{{ y }}", "a"},
      {"{% set y | upper %}a{{ user }}{% endset %}{{ y }}{% filter lower %}B{{ user }}{% endfilter %}", "Ab"},
      {"{% macro m(x) %}[{{ x }}]{{ caller() if caller }}{% endmacro %}{{ m(user) }}{{ m(user)|upper }}",
       "[][]"},
      {"{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ user }}{% endcall %}", ""},
      {"{% set ns = namespace(a=user) %}{% set ns.b = ns.a ~ 'x' %}{{ ns.b }}{{ ns }}",
       "x<Namespace {'a': '', 'b': 'x'}>"},
      {"{% with x = user %}{{ x }}{% endwith %}", ""},
  });
}

TEST(Provenance, DatesOfAUsersFormatAreTheUsers) {
  expect_own_text({{"{{ strftime_now(user ~ '%Y') }}", ""}});
}

TEST(Provenance, SpansOfOneOriginAreMerged) {
  const auto text = render("{{ '<|' ~ 'im_start' }}|>{{ user }}{{ user[0] }}x{{ 1 }}");

  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_THAT(text->spans(), ElementsAre(TextSpan{"<|im_start|>", true}, TextSpan{"<|im_end|><", false},
                                         TextSpan{"x1", true}));
}

}  // namespace
}  // namespace llama_gpu::text::jinja
