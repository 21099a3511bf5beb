// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/formatting.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "text/jinja/attributes.h"
#include "text/jinja/markup.h"
#include "text/jinja/number_format.h"
#include "text/jinja/printing.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

// Wider fields and more digits are no use in a prompt, only for filling memory.
constexpr int64_t kMaxWidth = 1'000'000, kMaxPrecision = 1'000;
// Writing a number of hundreds of digits out takes about as long as so many steps.
constexpr int64_t kNumberSteps = 32;

// How a value is fitted into its field.
struct Field {
  char align = '<';  // '<', '>', '^', and '=' for filling behind the sign
  TaggedText fill = TaggedText(" ", Origin::kTemplate);
  int64_t width = 0;
};

// Appends sign and body, filled up to the field's width.
void append_field(TextBuilder& out, const Field& field, std::string_view sign, const TaggedText& body) {
  const auto size = static_cast<int64_t>(count_chars(body.bytes()) + sign.size());
  const int64_t missing = std::max<int64_t>(field.width - size, 0);
  const int64_t before = field.align == '<' ? 0 : field.align == '^' ? missing / 2 : missing;
  if (field.align != '=') out.repeat(field.fill, before);
  out.append(sign, Origin::kTemplate);
  if (field.align == '=') out.repeat(field.fill, before);
  out.append(body);
  out.repeat(field.fill, missing - before);
}

void append_number(TextBuilder& out, const Field& field, const FormattedNumber& number) {
  append_field(out, field, number.sign, TaggedText(number.digits, Origin::kTemplate));
}

// Reads decimal digits at `pos`. nullopt when there are none, kMaxWidth + 1 when there are too many.
std::optional<int64_t> read_digits(std::string_view text, size_t& pos) {
  if (pos == text.size() || !std::isdigit(static_cast<unsigned char>(text[pos]))) return std::nullopt;
  int64_t number = 0;
  for (; pos < text.size() && std::isdigit(static_cast<unsigned char>(text[pos])); ++pos) {
    number = std::min(number * 10 + (text[pos] - '0'), kMaxWidth + 1);
  }
  return number;
}

TaggedText first_chars(const TaggedText& text, std::optional<int64_t> count) {
  return count ? text.slice(0, char_offset(text.bytes(), static_cast<size_t>(*count))) : text;
}

// `format % arguments`.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& arguments)
      : runtime_(runtime),
        format_(*format.as_text()),
        is_markup_(format.is_markup()),
        arguments_(arguments),
        out_(runtime) {
    const Sequence* sequence = arguments.as_sequence();
    tuple_ = sequence != nullptr && sequence->kind == Sequence::Kind::kTuple ? sequence : nullptr;
  }

  Result<Value> run();

 private:
  struct Conversion {
    Field field;
    NumberFormat number;
    std::optional<int64_t> precision;
    bool is_left = false, is_zero_filled = false;
  };

  Status convert();
  Result<Conversion> read_conversion();
  Result<std::optional<int64_t>> read_size(int64_t limit);
  Result<Value> next_argument();
  Status write_text(const Conversion& conversion, char type, const Value& value);
  Status write_number(Conversion conversion, char type, const Value& value);
  Result<Value> character(const Value& value);
  bool accept(char c) {
    if (pos_ == bytes().size() || bytes()[pos_] != c) return false;
    ++pos_;
    return true;
  }
  std::string_view bytes() const { return format_.bytes(); }

  Runtime& runtime_;
  const TaggedText& format_;
  bool is_markup_;
  const Value& arguments_;
  const Sequence* tuple_;
  TextBuilder out_;
  size_t pos_ = 0;
  size_t used_ = 0;
  std::optional<Value> named_;
};

Result<Value> PercentFormatter::run() {
  TRY_STATUS(runtime_.spend_pass(format_));
  while (pos_ < bytes().size()) {
    const size_t next = std::min(bytes().find('%', pos_), bytes().size());
    out_.append(format_, pos_, next);
    pos_ = next + 1;
    if (next < bytes().size()) TRY_STATUS(convert());
  }
  const bool is_single = tuple_ == nullptr && arguments_.as_dict() == nullptr &&
                         arguments_.as_sequence() == nullptr && !arguments_.is_undefined() &&
                         arguments_.as_range() == nullptr;
  if ((tuple_ != nullptr && used_ < tuple_->items.size()) || (is_single && used_ == 0)) {
    return runtime_.fail("a format has fewer places than there are arguments");
  }
  TRY(TaggedText text, out_.take());
  return is_markup_ ? runtime_.make_markup(std::move(text)) : runtime_.make_text(std::move(text));
}

Result<Value> PercentFormatter::next_argument() {
  if (named_) return *std::exchange(named_, std::nullopt);
  const size_t available = tuple_ != nullptr ? tuple_->items.size() : 1;
  if (used_ == available) return runtime_.fail("a format has more places than there are arguments");
  return tuple_ != nullptr ? tuple_->items[used_++] : (++used_, arguments_);
}

Result<std::optional<int64_t>> PercentFormatter::read_size(int64_t limit) {
  std::optional<int64_t> size;
  if (accept('*')) {
    TRY(Value value, next_argument());
    size = value.as_int();
    if (!size) return runtime_.fail("the width '*' of a format must be an integer");
  } else {
    size = read_digits(bytes(), pos_);
  }
  if (size && (*size > limit || *size < -limit)) {
    return runtime_.fail("a format's width or precision is over " + std::to_string(limit));
  }
  return size;
}

Result<PercentFormatter::Conversion> PercentFormatter::read_conversion() {
  Conversion conversion;
  if (accept('(')) {
    const Dict* dict = arguments_.as_dict();
    const size_t end = bytes().find(')', pos_);
    if (dict == nullptr || end == bytes().npos)
      return runtime_.fail("a format with names needs a dict of values");
    TRY(const Value* value, dict->find(runtime_, bytes().substr(pos_, end - pos_)));
    if (value == nullptr) return runtime_.fail("a format names a value that is not there");
    named_ = *value;
    pos_ = end + 1;
  }
  for (bool is_flag = true; is_flag;) {
    is_flag = false;
    if (accept('-')) is_flag = conversion.is_left = true;
    if (accept('0')) is_flag = conversion.is_zero_filled = true;
    if (accept('#')) is_flag = conversion.number.is_alternate = true;
    if (accept('+')) is_flag = true, conversion.number.sign = '+';
    if (accept(' ')) is_flag = true, conversion.number.sign = conversion.number.sign == '+' ? '+' : ' ';
  }
  TRY(const std::optional<int64_t> width, read_size(kMaxWidth));
  conversion.field.width = std::abs(width.value_or(0));
  conversion.is_left = conversion.is_left || width.value_or(0) < 0;
  conversion.field.align = conversion.is_left ? '<' : '>';
  if (accept('.')) {
    TRY(const std::optional<int64_t> precision, read_size(kMaxPrecision));
    conversion.precision = std::max<int64_t>(precision.value_or(0), 0);
  }
  if (!accept('h') && !accept('l')) accept('L');
  return conversion;
}

Result<Value> PercentFormatter::character(const Value& value) {
  if (const TaggedText* text = value.as_text(); text != nullptr && count_chars(text->bytes()) == 1)
    return value;
  const auto code = value.as_int();
  if (!code || *code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) {
    return runtime_.fail("%c needs one character");
  }
  std::string bytes;
  append_utf8(bytes, static_cast<char32_t>(*code));
  // The number may have been computed from a message, and numbers have no origin: as if it was.
  return runtime_.make_text(std::move(bytes), Origin::kMessage);
}

Status PercentFormatter::write_text(const Conversion& conversion, char type, const Value& value) {
  TextBuilder body(runtime_);
  if (type == 'r' || type == 'a') {
    TRY_STATUS(append_repr(runtime_, body, value));
  } else if (type == 'c') {
    TRY(Value text, character(value));
    body.append(*text.as_text());
  } else {
    TRY_STATUS(append_str(runtime_, body, value));
  }
  TRY(TaggedText text, body.take());
  if (is_markup_ && !(value.is_markup() && type == 's')) {
    TRY(text, escape_html(runtime_, text));
  }
  append_field(out_, conversion.field, "", type == 'c' ? text : first_chars(text, conversion.precision));
  return {};
}

Status PercentFormatter::write_number(Conversion conversion, char type, const Value& value) {
  TRY_STATUS(runtime_.spend(kNumberSteps));
  if (conversion.precision) conversion.number.precision = static_cast<int>(*conversion.precision);
  conversion.number.type = type;
  if (conversion.is_zero_filled && !conversion.is_left) {
    conversion.field.fill = TaggedText("0", Origin::kTemplate);
    conversion.field.align = '=';
  }
  const auto number = value.as_number();
  if (!number) return runtime_.fail("a format's number is a '" + std::string(value.type_name()) + "'");
  if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
    return append_number(out_, conversion.field, format_float(*number, conversion.number)), Status();
  }
  auto integer = value.as_int();
  const bool takes_floats = type == 'd' || type == 'i' || type == 'u';
  if (!integer && takes_floats && std::abs(*number) < 0x1p63) integer = static_cast<int64_t>(*number);
  if (!integer) return runtime_.fail("a format needs an integer, not a float");
  if (takes_floats) conversion.number.type = 'd';
  return append_number(out_, conversion.field, format_integer(*integer, conversion.number)), Status();
}

Status PercentFormatter::convert() {
  TRY_STATUS(runtime_.spend());
  if (accept('%')) return out_.append("%", format_.origin_at(pos_ - 1)), Status();
  TRY(Conversion conversion, read_conversion());
  if (pos_ == bytes().size()) return runtime_.fail("a format ends in the middle of a place");
  const char type = bytes()[pos_++];
  if (type == '%') return out_.append("%", format_.origin_at(pos_ - 1)), Status();
  const bool is_text = std::string_view("srac").find(type) != std::string_view::npos;
  if (!is_text && std::string_view("diuoxXeEfFgG").find(type) == std::string_view::npos) {
    return runtime_.fail("a format has a place of an unknown kind");
  }
  TRY(Value value, next_argument());
  return is_text ? write_text(conversion, type, value) : write_number(conversion, type, value);
}

// What stands behind the colon of a {} place.
struct Specification {
  Field field;
  bool has_align = false;
  NumberFormat number;
  std::optional<int64_t> precision;
  char type = 0;
};

// `format.format(arguments)`.
class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, const CallArguments& arguments, bool is_markup)
      : runtime_(runtime), arguments_(arguments), is_markup_(is_markup) {}

  // `is_nested`: within a place's specification, where places may not nest further.
  Status write(const TaggedText& format, TextBuilder& out, bool is_nested);

 private:
  Status write_place(const TaggedText& place, TextBuilder& out, bool is_nested);
  Result<Value> look_up(std::string_view name);
  Result<Value> argument(std::string_view name);
  Status write_value(TextBuilder& out, const Value& value, const TaggedText& specification);
  Status write_plain(TextBuilder& out, const Value& value, const TaggedText& specification);
  Result<Specification> read_specification(const TaggedText& text);
  Status write_number(TextBuilder& out, const Value& value, Specification specification);

  Runtime& runtime_;
  const CallArguments& arguments_;
  bool is_markup_;
  size_t next_ = 0;
};

// The end of the place that starts at `pos`, behind its opening brace.
size_t end_of_place(std::string_view bytes, size_t pos) {
  for (int depth = 1; pos < bytes.size(); ++pos) {
    if (bytes[pos] == '{') ++depth;
    if (bytes[pos] == '}' && --depth == 0) return pos;
  }
  return std::string_view::npos;
}

Status BraceFormatter::write(const TaggedText& format, TextBuilder& out, bool is_nested) {
  TRY_STATUS(runtime_.spend_characters(format));
  const std::string_view bytes = format.bytes();
  for (size_t pos = 0; pos < bytes.size();) {
    TRY_STATUS(runtime_.spend());
    const size_t brace = std::min(bytes.find_first_of("{}", pos), bytes.size());
    out.append(format, pos, brace);
    if (brace == bytes.size()) break;
    const bool is_doubled = brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace];
    if (is_doubled && !is_nested) {
      out.append(format, brace, brace + 1);
      pos = brace + 2;
      continue;
    }
    const size_t end = bytes[brace] == '{' ? end_of_place(bytes, brace + 1) : std::string_view::npos;
    if (end == std::string_view::npos) return runtime_.fail("a format has a brace without its pair");
    TRY_STATUS(write_place(format.slice(brace + 1, end), out, is_nested));
    pos = end + 1;
  }
  return {};
}

Status BraceFormatter::write_place(const TaggedText& place, TextBuilder& out, bool is_nested) {
  const std::string_view bytes = place.bytes();
  const size_t name_end = std::min(bytes.find_first_of("!:"), bytes.size());
  TRY(Value value, look_up(bytes.substr(0, name_end)));
  size_t pos = name_end;
  if (pos < bytes.size() && bytes[pos] == '!') {
    const char conversion = pos + 1 < bytes.size() ? bytes[pos + 1] : '?';
    if (conversion != 'r' && conversion != 's')
      return runtime_.fail("a format has a conversion other than !r and !s");
    TextBuilder converted(runtime_);
    TRY_STATUS(conversion == 'r' ? append_repr(runtime_, converted, value)
                                 : append_str(runtime_, converted, value));
    TRY(value, converted.finish());
    pos += 2;
  }
  if (pos == bytes.size()) return write_value(out, value, TaggedText());
  if (bytes[pos] != ':') return runtime_.fail("a format's place is followed by something else than ':'");
  TextBuilder specification(runtime_);
  const TaggedText rest = place.slice(pos + 1, bytes.size());
  if (is_nested && rest.bytes().find('{') != std::string_view::npos)
    return runtime_.fail("a format nests too deep");
  TRY_STATUS(write(rest, specification, /*is_nested=*/true));
  TRY(TaggedText text, specification.take());
  return write_value(out, value, text);
}

Result<Value> BraceFormatter::argument(std::string_view name) {
  size_t pos = 0;
  const auto number = read_digits(name, pos);
  if (name.empty() || (number && pos == name.size())) {
    const size_t place = name.empty() ? next_++ : static_cast<size_t>(*number);
    if (place < arguments_.positional.size()) return arguments_.positional[place];
    return runtime_.fail("a format has more places than there are arguments");
  }
  TRY_STATUS(runtime_.spend(std::ssize(arguments_.named)));
  for (const auto& [key, value] : arguments_.named) {
    if (key.as_text()->bytes() == name) return value;
  }
  return runtime_.fail("a format names an argument that is not there");
}

Result<Value> BraceFormatter::look_up(std::string_view name) {
  const size_t first_end = std::min(name.find_first_of(".["), name.size());
  TRY(Value value, argument(name.substr(0, first_end)));
  for (name.remove_prefix(first_end); !name.empty();) {
    const bool is_item = name.front() == '[';
    const size_t end = is_item ? name.find(']') : std::min(name.find_first_of(".[", 1), name.size());
    if (end == name.npos || end == 1) return runtime_.fail("a format has a place with an empty or open name");
    const std::string part(name.substr(1, end - 1));
    size_t digits = 0;
    const auto index = read_digits(part, digits);
    if (is_item) {
      TRY(value,
          get_item(runtime_, value, index && digits == part.size() ? Value(*index) : Value::text(part)));
    } else {
      TRY(value, get_attribute(runtime_, value, part));
    }
    name.remove_prefix(is_item ? end + 1 : end);
  }
  return value;
}

Result<Specification> BraceFormatter::read_specification(const TaggedText& text) {
  Specification out;
  const std::string_view bytes = text.bytes();
  const auto is_align = [&](size_t at) {
    return at < bytes.size() && std::string_view("<>=^").find(bytes[at]) != bytes.npos;
  };
  size_t pos = 0;
  const size_t fill_size = bytes.empty() ? 0 : char_size(bytes, 0);
  const bool has_fill = fill_size > 0 && is_align(fill_size);
  if (has_fill) {
    out.field.fill = TaggedText(std::string(bytes.substr(0, fill_size)), text.joint_origin());
    pos = fill_size;
  }
  out.has_align = is_align(pos);
  if (out.has_align) out.field.align = bytes[pos++];
  const auto take = [&](std::string_view any_of) -> char {
    return pos < bytes.size() && any_of.find(bytes[pos]) != any_of.npos ? bytes[pos++] : '\0';
  };
  if (const char sign = take("+- ")) out.number.sign = sign;
  out.number.is_alternate = take("#") != 0;
  if (take("0") != 0) {
    if (!has_fill) out.field.fill = TaggedText("0", Origin::kTemplate);
    if (!out.has_align) out.field.align = '=';
    out.has_align = true;
  }
  out.field.width = read_digits(bytes, pos).value_or(0);
  out.number.group = take(",_");
  if (take(".") != 0) {
    out.precision = read_digits(bytes, pos);
    if (!out.precision) return runtime_.fail("a format's precision is missing");
  }
  out.type = take("sdboxXeEfFgG%cn");
  if (pos != bytes.size()) return runtime_.fail("a format has a specification that is not understood");
  if (out.field.width > kMaxWidth || out.precision.value_or(0) > kMaxPrecision) {
    return runtime_.fail("a format's width or precision is too large");
  }
  return out;
}

Status BraceFormatter::write_number(TextBuilder& out, const Value& value, Specification specification) {
  TRY_STATUS(runtime_.spend(kNumberSteps));
  if (!specification.has_align) specification.field.align = '>';
  if (specification.precision) specification.number.precision = static_cast<int>(*specification.precision);
  const auto integer = value.as_int();
  char type = specification.type == 'n' ? (integer ? 'd' : 'g') : specification.type;
  if (integer && (type == 0 || std::string_view("dboxX").find(type) != std::string_view::npos)) {
    if (specification.precision) return runtime_.fail("a format gives an integer a precision");
    specification.number.type = type == 0 ? 'd' : type;
    return append_number(out, specification.field, format_integer(*integer, specification.number)), Status();
  }
  if (type == 0) type = specification.precision ? 'p' : 'r';
  if (std::string_view("eEfFgG%rp").find(type) == std::string_view::npos) {
    return runtime_.fail("a format's type does not fit a number");
  }
  specification.number.type = type;
  return append_number(out, specification.field, format_float(*value.as_number(), specification.number)),
         Status();
}

Status BraceFormatter::write_value(TextBuilder& out, const Value& value, const TaggedText& text) {
  if (!is_markup_ || value.is_markup()) return write_plain(out, value, text);
  TextBuilder plain(runtime_);
  TRY_STATUS(write_plain(plain, value, text));
  TRY(const TaggedText written, plain.take());
  TRY(const TaggedText escaped, escape_html(runtime_, written));
  return out.append(escaped), Status();
}

Status BraceFormatter::write_plain(TextBuilder& out, const Value& value, const TaggedText& text) {
  if (text.empty()) return append_str(runtime_, out, value);
  TRY(Specification specification, read_specification(text));
  if (value.as_number()) return write_number(out, value, std::move(specification));
  const TaggedText* body = value.as_text();
  const bool fits = body != nullptr && (specification.type == 0 || specification.type == 's') &&
                    specification.field.align != '=' && specification.number.group == 0;
  if (!fits)
    return runtime_.fail("a format's specification does not fit a " + std::string(value.type_name()));
  append_field(out, specification.field, "", first_chars(*body, specification.precision));
  return {};
}

}  // namespace

Result<Value> percent_format(Runtime& runtime, const Value& format, const Value& arguments) {
  return PercentFormatter(runtime, format, arguments).run();
}

Result<Value> brace_format(Runtime& runtime, const Value& format, const CallArguments& arguments) {
  TextBuilder out(runtime);
  TRY_STATUS(BraceFormatter(runtime, arguments, format.is_markup())
                 .write(*format.as_text(), out, /*is_nested=*/false));
  return out.finish();
}

}  // namespace llama_gpu::text::jinja
