// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/string_literal.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

// Reads the escape behind a backslash.
class EscapeReader {
 public:
  EscapeReader(std::string_view text, std::string& out) : rest_(text), out_(out) {}

  // Appends what the escape stands for and gives its size; 0 when it is broken.
  size_t read() {
    constexpr std::string_view kLetters = "abfnrtv\\'\"", kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const char kind = rest_.empty() ? '\0' : rest_.front();
    if (const size_t place = kLetters.find(kind); kind != '\0' && place != kLetters.npos)
      return out_ += kMeanings[place], 1;
    switch (kind) {
      case '\n':
        return 1;
      case 'x':
        return hex(2);
      case 'u':
        return hex(4);
      case 'U':
        return hex(8);
      case 'N':
        return 0;
      default:
        break;
    }
    if (kind >= '0' && kind <= '7') return octal();
    out_ += '\\';  // not an escape: the character behind it follows as text
    return rest_.empty() ? 0 : keep();
  }

 private:
  size_t keep() {
    const size_t size = char_size(rest_, 0);
    out_ += rest_.substr(0, size);
    return size;
  }

  size_t number(std::string_view digits, int base, size_t escape_size) {
    uint32_t code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    const bool is_character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    if (error != std::errc() || end != digits.data() + digits.size() || !is_character) return 0;
    append_utf8(out_, code);
    return escape_size;
  }

  size_t hex(size_t num_digits) {
    return rest_.size() > num_digits ? number(rest_.substr(1, num_digits), 16, num_digits + 1) : 0;
  }

  size_t octal() {
    const size_t size = std::min<size_t>(std::min(rest_.find_first_not_of("01234567"), rest_.size()), 3);
    return number(rest_.substr(0, size), 8, size);
  }

  std::string_view rest_;
  std::string& out_;
};

}  // namespace

std::optional<std::string> unescape(std::string_view literal) {
  std::string out;
  for (size_t pos = 0; pos < literal.size();) {
    const size_t next = std::min(literal.find('\\', pos), literal.size());
    out += literal.substr(pos, next - pos);
    if (next == literal.size()) break;
    const size_t size = EscapeReader(literal.substr(next + 1), out).read();
    if (size == 0) return std::nullopt;
    pos = next + 1 + size;
  }
  return out;
}

}  // namespace llama_gpu::text::jinja
