// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "text/jinja/string_literal.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

// Of a name, ten times as long as those that people write.
constexpr size_t kMaxNameBytes = 255;

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

// Where whitespace that starts at `pos` ends.
size_t skip_space(std::string_view text, size_t pos) {
  while (pos < text.size() && is_space(char_at(text, pos))) pos += char_size(text, pos);
  return pos;
}

// Where whitespace that ends at `end` starts, not before `begin`.
size_t skip_space_back(std::string_view text, size_t begin, size_t end) {
  while (end > begin && is_space(char_at(text, previous_char(text, end)))) end = previous_char(text, end);
  return end;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (pos_ < source_.size()) TRY_STATUS(read_data());
    add(TokenType::kEnd, {}, source_.size());
    return std::move(tokens_);
  }

 private:
  // Text up to the next tag, and that tag.
  Status read_data();
  Status read_comment();
  Status read_raw(size_t content);
  // The inside of {{ }} or {% %}.
  Status read_tag(bool is_block);
  Status read_token();
  Status read_string(char quote);
  void read_number();
  Status read_name();
  Status read_operator();

  // When the tag's end stands at pos_, goes behind it and the whitespace that it takes along.
  bool accept_end(bool is_block);
  // When the text at pos_ is `{% raw %}`: where its content starts.
  std::optional<size_t> raw_content() const;
  // Adds the text [begin, end) before a tag whose whitespace control is `sign`.
  void add_data(size_t begin, size_t end, char sign, bool may_strip_line);
  size_t skip_digits(size_t pos) const;
  // Where the integer at `begin` ends, whose decimal digits end at `whole`.
  size_t integer_end(size_t begin, size_t whole) const;

  bool starts_with(size_t pos, std::string_view text) const { return source_.substr(pos).starts_with(text); }
  char at(size_t pos) const { return pos < source_.size() ? source_[pos] : '\0'; }
  char sign_at(size_t pos) const { return at(pos) == '-' || at(pos) == '+' ? at(pos) : '\0'; }
  void add(TokenType type, std::string text, size_t offset) {
    tokens_.push_back({type, std::move(text), offset});
  }
  Error fail(size_t offset, std::string message) const {
    return syntax_error(source_, offset, std::move(message));
  }

  std::string_view source_;
  size_t pos_ = 0;
  std::vector<Token> tokens_;
  std::string open_;  // closing brackets that are due
};

void Lexer::add_data(size_t begin, size_t end, char sign, bool may_strip_line) {
  if (sign == '-') {
    end = skip_space_back(source_, begin, end);
  } else if (sign != '+' && may_strip_line) {
    const size_t newline = source_.substr(begin, end - begin).rfind('\n');
    const bool is_line_start = begin == 0 || source_[begin - 1] == '\n';
    const size_t line = newline == std::string_view::npos ? begin : begin + newline + 1;
    if ((newline != std::string_view::npos || is_line_start) && skip_space_back(source_, line, end) == line)
      end = line;
  }
  if (end > begin) add(TokenType::kData, std::string(source_.substr(begin, end - begin)), begin);
}

std::optional<size_t> Lexer::raw_content() const {
  size_t pos = skip_space(source_, pos_ + 2 + (sign_at(pos_ + 2) != 0 ? 1 : 0));
  if (!starts_with(pos, "raw")) return std::nullopt;
  pos = skip_space(source_, pos + 3);
  if (starts_with(pos, "-%}")) return skip_space(source_, pos + 3);
  return starts_with(pos, "%}") ? std::optional(pos + 2) : std::nullopt;
}

Status Lexer::read_data() {
  const size_t begin = pos_;
  while (pos_ < source_.size() &&
         !(at(pos_) == '{' && (at(pos_ + 1) == '{' || at(pos_ + 1) == '%' || at(pos_ + 1) == '#'))) {
    ++pos_;
  }
  if (pos_ == source_.size()) {
    add(TokenType::kData, std::string(source_.substr(begin)), begin);
    return {};
  }
  const char kind = at(pos_ + 1), sign = sign_at(pos_ + 2);
  add_data(begin, pos_, sign, /*may_strip_line=*/kind != '{');
  const size_t tag = pos_;
  if (kind == '%') {
    if (const auto content = raw_content()) return read_raw(*content);
  }
  pos_ += sign != 0 ? 3 : 2;
  if (kind == '#') return read_comment();
  add(kind == '%' ? TokenType::kBlockBegin : TokenType::kVariableBegin, {}, tag);
  return read_tag(kind == '%');
}

Status Lexer::read_comment() {
  const size_t end = source_.find("#}", pos_);
  if (end == std::string_view::npos) return fail(pos_, "a comment is not closed");
  const char sign = end > pos_ ? sign_at(end - 1) : '\0';
  pos_ = end + 2;
  if (sign == '-') pos_ = skip_space(source_, pos_);
  if (sign == '\0' && at(pos_) == '\n') ++pos_;
  return {};
}

Status Lexer::read_raw(size_t content) {
  for (pos_ = content;; pos_ += 2) {
    pos_ = source_.find("{%", pos_);
    if (pos_ == std::string_view::npos) return fail(content, "a raw block is not closed");
    const char sign = sign_at(pos_ + 2);
    const size_t tag = pos_, name = skip_space(source_, pos_ + 2 + (sign != 0 ? 1 : 0));
    if (!starts_with(name, "endraw")) continue;
    pos_ = skip_space(source_, name + 6);
    if (!accept_end(/*is_block=*/true)) {
      pos_ = tag;
      continue;
    }
    add_data(content, tag, sign, /*may_strip_line=*/true);
    return {};
  }
}

bool Lexer::accept_end(bool is_block) {
  const std::string_view close = is_block ? "%}" : "}}";
  if (at(pos_) == '-' && starts_with(pos_ + 1, close)) {
    pos_ = skip_space(source_, pos_ + 3);
    return true;
  }
  if (is_block && at(pos_) == '+' && starts_with(pos_ + 1, close)) {
    pos_ += 3;
    return true;
  }
  if (!starts_with(pos_, close)) return false;
  pos_ += 2;
  if (is_block && at(pos_) == '\n') ++pos_;
  return true;
}

Status Lexer::read_tag(bool is_block) {
  while (pos_ < source_.size()) {
    const size_t begin = pos_;
    if (open_.empty() && accept_end(is_block)) {
      add(is_block ? TokenType::kBlockEnd : TokenType::kVariableEnd, {}, begin);
      return {};
    }
    if (is_space(char_at(source_, pos_))) {
      pos_ = skip_space(source_, pos_);
    } else {
      TRY_STATUS(read_token());
    }
  }
  return {};
}

Status Lexer::read_token() {
  const char c = at(pos_);
  if (is_ascii_digit(c)) return read_number(), Status();
  if (c == '\'' || c == '"') return read_string(c);
  if (is_identifier_start(char_at(source_, pos_))) return read_name();
  return read_operator();
}

// Digits with single underscores between them.
size_t Lexer::skip_digits(size_t pos) const {
  if (!is_ascii_digit(at(pos))) return pos;
  while (is_ascii_digit(at(pos)) || (at(pos) == '_' && is_ascii_digit(at(pos + 1)))) ++pos;
  return pos;
}

size_t Lexer::integer_end(size_t begin, size_t whole) const {
  if (at(begin) != '0') return whole;
  constexpr std::array<std::pair<char, std::string_view>, 3> kBases = {
      {{'b', "01"}, {'o', "01234567"}, {'x', "0123456789abcdefABCDEF"}}};
  for (const auto& [letter, digits] : kBases) {
    if ((at(begin + 1) | 0x20) != letter) continue;
    size_t end = begin + 2;
    const auto is_digit_at = [&, &allowed = digits](size_t pos) {
      return pos < source_.size() && allowed.find(source_[pos]) != allowed.npos;
    };
    while (is_digit_at(end) || (at(end) == '_' && is_digit_at(end + 1))) ++end;
    if (end > begin + 2) return end;
  }
  // Python has no decimal numbers with a leading zero: the zeros are a number of their own.
  size_t end = begin;
  while (end < whole && (source_[end] == '0' || (source_[end] == '_' && at(end + 1) == '0'))) ++end;
  return end;
}

void Lexer::read_number() {
  const size_t begin = pos_, whole = skip_digits(pos_);
  size_t end = whole;
  const bool is_after_dot = begin > 0 && source_[begin - 1] == '.';
  if (!is_after_dot) {
    if (at(end) == '.' && is_ascii_digit(at(end + 1))) end = skip_digits(end + 1);
    if (at(end) == 'e' || at(end) == 'E') {
      const size_t digits = end + (at(end + 1) == '+' || at(end + 1) == '-' ? 2 : 1);
      if (skip_digits(digits) != digits) end = skip_digits(digits);
    }
  }
  const bool is_float = end != whole;
  if (!is_float) end = integer_end(begin, whole);
  pos_ = end;
  std::string digits(source_.substr(begin, end - begin));
  std::erase(digits, '_');
  add(is_float ? TokenType::kFloat : TokenType::kInteger, std::move(digits), begin);
}

Status Lexer::read_string(char quote) {
  const size_t begin = pos_;
  for (++pos_; pos_ < source_.size() && source_[pos_] != quote; ++pos_) {
    if (source_[pos_] == '\\') ++pos_;
  }
  if (pos_ >= source_.size()) return fail(begin, "a string is not closed");
  auto value = unescape(source_.substr(begin + 1, pos_ - begin - 1));
  if (!value) return fail(begin, "a string has a broken escape");
  ++pos_;
  add(TokenType::kString, std::move(*value), begin);
  return {};
}

Status Lexer::read_name() {
  const size_t begin = pos_;
  while (pos_ < source_.size() && is_identifier_part(char_at(source_, pos_)))
    pos_ += char_size(source_, pos_);
  // Every look-up of a name reads all of it.
  if (pos_ - begin > kMaxNameBytes)
    return fail(begin, "a name is longer than " + std::to_string(kMaxNameBytes) + " bytes");
  add(TokenType::kName, std::string(source_.substr(begin, pos_ - begin)), begin);
  return {};
}

Status Lexer::read_operator() {
  constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
  const auto found =
      std::find_if(kOperators.begin(), kOperators.end(), [&](auto op) { return starts_with(pos_, op); });
  if (found == kOperators.end()) return fail(pos_, "a character that means nothing here");
  const char c = found->front();
  if (c == '(') open_ += ')';
  if (c == '[') open_ += ']';
  if (c == '{') open_ += '}';
  if (c == ')' || c == ']' || c == '}') {
    if (open_.empty() || open_.back() != c) {
      return fail(pos_, std::string("'") + c + "' closes nothing" +
                            (open_.empty() ? "" : std::string("; expected '") + open_.back() + "'"));
    }
    open_.pop_back();
  }
  add(TokenType::kOperator, std::string(*found), pos_);
  pos_ += found->size();
  return {};
}

}  // namespace

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

Result<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace llama_gpu::text::jinja
