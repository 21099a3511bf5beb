// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/template_fixture.h"

// What is expected is what Jinja2 gives.

namespace llama_gpu::text::jinja {
namespace {

TEST(TextMethods, StripText) {
  expect_rendered({
      {"{{ ' a '.strip() }}", "a"},
      {"{{ 'xxaxx'.strip('x') }}", "a"},
      {"{{ ' a '.lstrip()~'|' }}", "a |"},
      {"{{ ' a '.rstrip()~'|' }}", " a|"},
      {"{{ '\302\240\343\200\200a\342\200\250'.strip() }}", "a"},
      {"{{ 'abcba'.strip('ab') }}", "c"},
      {"{{ 'abc'.lstrip('') }}", "abc"},
      {"{{ 'aéa'.strip('éa') }}", ""},
      {"{{ 'a'.strip(none) }}", "a"},
  });
  expect_errors({
      "{{ 'a'.strip(1) }}",
      "{{ 'a'.strip('a', 'b') }}",
  });
}

TEST(TextMethods, SplitText) {
  expect_rendered({
      {"{{ 'a b  c '.split() }}", "['a', 'b', 'c']"},
      {"{{ 'a b  c '.split(' ') }}", "['a', 'b', '', 'c', '']"},
      {"{{ 'a,b,c'.split(',', 1) }}", "['a', 'b,c']"},
      {"{{ ' a b c'.split(none, 1) }}", "['a', 'b c']"},
      {"{{ 'a b c '.rsplit(none, 1) }}", "['a b', 'c']"},
      {"{{ 'a,b,c'.rsplit(',', 1) }}", "['a,b', 'c']"},
      {"{{ ''.split() }}", "[]"},
      {"{{ ''.split(',') }}", "['']"},
      {"{{ 'aaa'.split('aa') }}", "['', 'a']"},
      {"{{ 'aaa'.rsplit('aa') }}", "['a', '']"},
      {"{{ 'a\\nb\\r\\nc\\n'.splitlines() }}", "['a', 'b', 'c']"},
      {"{{ 'a\\nb'.splitlines(true) }}", "['a\\n', 'b']"},
      {"{{ 'a\\x0bb\\x85c'.splitlines() }}", "['a', 'b', 'c']"},
      {"{{ 'a-b-c'.partition('-') }}", "('a', '-', 'b-c')"},
      {"{{ 'a-b-c'.rpartition('-') }}", "('a-b', '-', 'c')"},
      {"{{ 'a'.partition('-') }}", "('a', '', '')"},
      {"{{ 'a'.rpartition('-') }}", "('', '', 'a')"},
      {"{{ '  '.rsplit() }}", "[]"},
      {"{{ ' a '.rsplit(none, 0) }}", "[' a']"},
      {"{{ ' a '.split(none, 0) }}", "['a ']"},
      {"{{ 'a b'.rsplit(maxsplit=1) }}", "['a', 'b']"},
  });
  expect_errors({
      "{{ 'a'.split('') }}",
      "{{ 'a'.split(1) }}",
      "{{ 'a'.split('a', 'b') }}",
      "{{ 'a'.partition('') }}",
  });
}

TEST(TextMethods, ChangeCase) {
  expect_rendered({
      {"{{ 'aß ŉ ﬁ İ ᾀ'.upper() }}", "ASS ʼN FI İ ἈΙ"},
      {"{{ 'ΟΔΟΣ ΣΑΣ. Aİ'.lower() }}", "οδος σας. ai̇"},
      {"{{ 'hELLO wORLD it\\'s ß'.title() }}", "Hello World It'S Ss"},
      {"{{ 'hELLO é'.capitalize() }}", "Hello é"},
      {"{{ 'ǆ'.title() }}", "ǅ"},
      {"{{ 'aBß'.swapcase() }}", "AbSS"},
      {"{{ 'ΑΣ'.swapcase() }}", "ας"},
      {"{{ ''.upper() }}", ""},
      {"{{ 'ŉa'.title() }}", "ʼNa"},
      {"{{ 'ΑΣ\\'Β Σ'.lower() }}", "ασ'β σ"},
  });
  expect_errors({
      "{{ text.upper(1) }}",
  });
}

TEST(TextMethods, FindText) {
  expect_rendered({
      {"{{ 'hello'.find('l') }}", "2"},
      {"{{ 'hello'.rfind('l') }}", "3"},
      {"{{ 'hello'.find('z') }}", "-1"},
      {"{{ 'héllo'.find('l') }}", "2"},
      {"{{ 'hello'.find('l', 3) }}", "3"},
      {"{{ 'hello'.find('l', 0, 2) }}", "-1"},
      {"{{ 'hello'.index('e') }}", "1"},
      {"{{ 'hello'.rindex('l') }}", "3"},
      {"{{ 'hello'.count('l') }}", "2"},
      {"{{ 'aaa'.count('aa') }}", "1"},
      {"{{ 'abc'.count('') }}", "4"},
      {"{{ 'hello'.find('') }}", "0"},
      {"{{ 'hello'.find('', 9) }}", "-1"},
      {"{{ 'hello'.rfind('', 2, -1) }}", "4"},
      {"{{ 'hello'.find('l', -2) }}", "3"},
      {"{{ 'hello'.count('l', 9) }}", "0"},
      {"{{ 'hello'.find('o', none, none) }}", "4"},
  });
  expect_errors({
      "{{ 'hello'.index('z') }}",
      "{{ 'hello'.rindex('z') }}",
      "{{ 'a'.find(1) }}",
      "{{ 'a'.find('a', 'b') }}",
  });
}

TEST(TextMethods, AskAboutText) {
  expect_rendered({
      {"{{ 'abc'.startswith('a') }}", "True"},
      {"{{ 'abc'.endswith('c') }}", "True"},
      {"{{ 'abc'.startswith(('x', 'a')) }}", "True"},
      {"{{ 'abc'.startswith('b', 1) }}", "True"},
      {"{{ 'abc'.endswith('b', 0, 2) }}", "True"},
      {"{{ 'abc'.startswith('') }}", "True"},
      {"{{ 'abc'.startswith('', 9) }}", "False"},
      {"{{ '12'.isdigit() }}", "True"},
      {"{{ 'a1'.isalnum() }}", "True"},
      {"{{ 'ab'.isalpha() }}", "True"},
      {"{{ ''.isalpha() }}", "False"},
      {"{{ ' '.isspace() }}", "True"},
      {"{{ 'AB1'.isupper() }}", "True"},
      {"{{ 'ab1'.islower() }}", "True"},
      {"{{ '1'.isupper() }}", "False"},
      {"{{ 'aB'.islower() }}", "False"},
  });
  expect_errors({
      "{{ 'abc'.startswith(1) }}",
      "{{ 'abc'.startswith(['a']) }}",
  });
}

TEST(TextMethods, BuildText) {
  expect_rendered({
      {"{{ '-'.join(['a', 'b']) }}", "a-b"},
      {"{{ '-'.join('abc') }}", "a-b-c"},
      {"{{ ''.join([]) }}", ""},
      {"{{ '-'.join(dict) }}", "b-a-items"},
      {"{{ 'ab'.replace('a', 'x') }}", "xb"},
      {"{{ 'aaa'.replace('a', 'b', 2) }}", "bba"},
      {"{{ 'ab'.replace('', '-') }}", "-a-b-"},
      {"{{ 'ab'.replace('', '-', 1) }}", "-ab"},
      {"{{ 'aa'.replace('aa', '') }}", ""},
      {"{{ 'ab'.ljust(4) ~ '|' }}", "ab  |"},
      {"{{ 'ab'.rjust(4) }}", "  ab"},
      {"{{ 'ab'.center(5, '*') }}", "**ab*"},
      {"{{ 'abc'.center(6, '*') }}", "*abc**"},
      {"{{ '5'.zfill(3) }}", "005"},
      {"{{ '-5'.zfill(4) }}", "-005"},
      {"{{ '+5'.zfill(1) }}", "+5"},
      {"{{ 'abc'.removeprefix('a') }}", "bc"},
      {"{{ 'abc'.removesuffix('c') }}", "ab"},
      {"{{ 'abc'.removeprefix('x') }}", "abc"},
      {"{{ 'a'.upper.x }}", ""},
  });
  expect_errors({
      "{{ '-'.join([1]) }}",
      "{{ '-'.join(1) }}",
      "{{ 'a'.replace(1, 2) }}",
      "{{ 'a'.replace('a') }}",
      "{{ 'a'.ljust('x') }}",
      "{{ 'a'.ljust(3, 'xy') }}",
      "{{ 'a'.removeprefix(1) }}",
  });
}

TEST(TextMethods, LookIntoContainers) {
  expect_rendered({
      {"{{ dict.get('b') }}", "1"},
      {"{{ dict.get('z') }}", "None"},
      {"{{ dict.get('z', 5) }}", "5"},
      {"{{ dict.get(range(2), 5) }}", "5"},
      {"{{ dict.keys()|list }}", "['b', 'a', 'items']"},
      {"{{ dict.values()|list }}", "[1, 'x', 2]"},
      {"{{ dict.items() }}", "dict_items([('b', 1), ('a', 'x'), ('items', 2)])"},
      {"{{ dict.keys() }}", "dict_keys(['b', 'a', 'items'])"},
      {"{{ dict.values() }}", "dict_values([1, 'x', 2])"},
      {"{{ dict.copy() }}", "{'b': 1, 'a': 'x', 'items': 2}"},
      {"{{ [1, 2, 1].count(1) }}", "2"},
      {"{{ [1, 2].index(2) }}", "1"},
      {"{{ (1, 1).count(1) }}", "2"},
      {"{{ (5, 6).index(6) }}", "1"},
      {"{{ [1].copy() }}", "[1]"},
      {"{{ dict.items()|length }}", "3"},
      {"{{ dict.items()[0] }}", ""},
      {"{{ range(3).count(2) }}", "1"},
      {"{{ range(3).index(1) }}", "1"},
      {"{{ [1].append }}", ""},
      {"{{ dict.clear is defined }}", "False"},
  });
  expect_errors({
      "{{ dict.get([]) }}",
      "{{ [1].index(5) }}",
      "{{ dict.get() }}",
      "{{ [1].append(2) }}",
      "{{ dict.update({}) }}",
      "{{ dict.pop('a') }}",
      "{{ range(2).index(9) }}",
      "{{ dict.setdefault('a', 1) }}",
  });
}

}  // namespace
}  // namespace llama_gpu::text::jinja
