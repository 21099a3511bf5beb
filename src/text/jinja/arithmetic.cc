// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/arithmetic.h"

#include <array>
#include <cmath>
#include <optional>
#include <string>

#include "base/checked_math.h"
#include "text/jinja/formatting.h"
#include "text/jinja/markup.h"

namespace llama_gpu::text::jinja {
namespace {

constexpr std::array<std::string_view, 7> kSymbols = {"+", "-", "*", "/", "//", "%", "**"};

Error unsupported(Runtime& runtime, BinaryOperator op, const Value& left, const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (const auto* undefined = std::get_if<Undefined>(&side->data());
        undefined != nullptr && undefined->reason) {
      return runtime.fail(undefined->reason->text);
    }
  }
  return runtime.fail("'" + std::string(kSymbols[static_cast<size_t>(op)]) + "' does not work between '" +
                      std::string(left.type_name()) + "' and '" + std::string(right.type_name()) + "'");
}

Error too_large(Runtime& runtime) { return runtime.fail("a number does not fit in 64 bits"); }

Result<Value> exact(Runtime& runtime, std::optional<int64_t> result) {
  return result ? Result<Value>(Value(*result)) : Result<Value>(too_large(runtime));
}

std::optional<int64_t> checked_subtract(int64_t a, int64_t b) {
  int64_t difference;
  if (__builtin_sub_overflow(a, b, &difference)) return std::nullopt;
  return difference;
}

// Python rounds quotients down, not to zero. REQUIRES: b != 0.
std::optional<int64_t> floor_divide(int64_t a, int64_t b) {
  if (b == -1) return checked_subtract(0, a);
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

// The remainder has the divisor's sign. REQUIRES: b != 0.
int64_t floor_modulo(int64_t a, int64_t b) {
  if (b == -1) return 0;
  const int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double floor_modulo(double a, double b) {
  const double remainder = std::fmod(a, b);
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

// Python takes the remainder off first, so that quotient and remainder agree also after rounding.
double floor_divide(double a, double b) {
  const double quotient = (a - floor_modulo(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Result<Value> power(Runtime& runtime, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return runtime.fail("0 has no negative power");
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::optional<int64_t> result = 1, square = base;
  for (; exponent > 0 && result; exponent /= 2) {
    if (exponent % 2 == 1) result = square ? checked_mul(*result, *square) : std::nullopt;
    if (exponent > 1) square = square ? checked_mul(*square, *square) : std::nullopt;
  }
  return exact(runtime, result);
}

Result<Value> compute_integers(Runtime& runtime, BinaryOperator op, int64_t a, int64_t b) {
  if (b == 0 && (op == BinaryOperator::kDivide || op == BinaryOperator::kFloorDivide ||
                 op == BinaryOperator::kModulo)) {
    return runtime.fail("division by zero");
  }
  switch (op) {
    case BinaryOperator::kAdd:
      return exact(runtime, checked_add(a, b));
    case BinaryOperator::kSubtract:
      return exact(runtime, checked_subtract(a, b));
    case BinaryOperator::kMultiply:
      return exact(runtime, checked_mul(a, b));
    case BinaryOperator::kDivide:
      return Value(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOperator::kFloorDivide:
      return exact(runtime, floor_divide(a, b));
    case BinaryOperator::kModulo:
      return Value(floor_modulo(a, b));
    case BinaryOperator::kPower:
      return power(runtime, a, b);
  }
  return too_large(runtime);
}

Result<Value> finite_power(Runtime& runtime, double a, double b) {
  if (a == 0 && b < 0) return runtime.fail("0 has no negative power");
  const double result = std::pow(a, b);
  const bool is_new_infinity = std::isinf(result) && !std::isinf(a) && !std::isinf(b);
  const bool is_complex = std::isnan(result) && !std::isnan(a) && !std::isnan(b);
  if (is_new_infinity || is_complex) return runtime.fail("a power is not a number that fits");
  return Value(result);
}

Result<Value> compute_floats(Runtime& runtime, BinaryOperator op, double a, double b) {
  if (b == 0 && (op == BinaryOperator::kDivide || op == BinaryOperator::kFloorDivide ||
                 op == BinaryOperator::kModulo)) {
    return runtime.fail("division by zero");
  }
  switch (op) {
    case BinaryOperator::kAdd:
      return Value(a + b);
    case BinaryOperator::kSubtract:
      return Value(a - b);
    case BinaryOperator::kMultiply:
      return Value(a * b);
    case BinaryOperator::kDivide:
      return Value(a / b);
    case BinaryOperator::kFloorDivide:
      return Value(floor_divide(a, b));
    case BinaryOperator::kModulo:
      return Value(floor_modulo(a, b));
    case BinaryOperator::kPower:
      return finite_power(runtime, a, b);
  }
  return too_large(runtime);
}

Result<Value> add_sequences(Runtime& runtime, const Sequence& left, const Sequence& right) {
  TRY_STATUS(runtime.spend(static_cast<int64_t>(left.items.size() + right.items.size())));
  std::vector<Value> items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  return runtime.make_sequence(std::move(items), left.kind);
}

Result<Value> repeat_sequence(Runtime& runtime, const Sequence& sequence, int64_t count) {
  const auto total = checked_mul(static_cast<int64_t>(sequence.items.size()), std::max<int64_t>(count, 0));
  if (!total || *total > runtime.max_range()) {
    return runtime.fail("a list would have more than " + std::to_string(runtime.max_range()) + " items");
  }
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(*total));
  while (static_cast<int64_t>(items.size()) < *total) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return runtime.make_sequence(std::move(items), sequence.kind);
}

// Text of which one side is markup: the other side is escaped.
Result<Value> add_markup(Runtime& runtime, const Value& left, const Value& right) {
  TRY(const Value a, to_markup(runtime, left));
  TRY(const Value b, to_markup(runtime, right));
  TextBuilder out(runtime);
  out.append(*a.as_text());
  out.append(*b.as_text());
  TRY(TaggedText text, out.take());
  return runtime.make_markup(std::move(text));
}

// Text or a list, times an integer, in this order; nullopt for other types.
std::optional<Result<Value>> repeat(Runtime& runtime, const Value& left, const Value& right) {
  const auto count = right.as_int();
  if (!count) return std::nullopt;
  if (const TaggedText* text = left.as_text()) {
    TextBuilder out(runtime);
    out.repeat(*text, *count);
    TRY(TaggedText repeated, out.take());
    return left.is_markup() ? runtime.make_markup(std::move(repeated))
                            : runtime.make_text(std::move(repeated));
  }
  const Sequence* sequence = left.as_sequence();
  if (sequence == nullptr || sequence->is_view()) return std::nullopt;
  return repeat_sequence(runtime, *sequence, *count);
}

std::optional<Result<Value>> add(Runtime& runtime, const Value& left, const Value& right) {
  if (const TaggedText *a = left.as_text(), *b = right.as_text(); a != nullptr && b != nullptr) {
    if (left.is_markup() || right.is_markup()) return add_markup(runtime, left, right);
    TextBuilder out(runtime);
    out.append(*a);
    out.append(*b);
    return out.finish();
  }
  const Sequence *a = left.as_sequence(), *b = right.as_sequence();
  if (a == nullptr || b == nullptr || a->kind != b->kind || a->is_view()) return std::nullopt;
  return add_sequences(runtime, *a, *b);
}

}  // namespace

Result<Value> compute(Runtime& runtime, BinaryOperator op, const Value& left, const Value& right) {
  TRY_STATUS(runtime.spend());
  const auto a = left.as_int(), b = right.as_int();
  if (a && b) return compute_integers(runtime, op, *a, *b);
  const auto x = left.as_number(), y = right.as_number();
  if (x && y) return compute_floats(runtime, op, *x, *y);
  std::optional<Result<Value>> result;
  if (op == BinaryOperator::kAdd) result = add(runtime, left, right);
  if (op == BinaryOperator::kMultiply) {
    result = repeat(runtime, left, right);
    if (!result) result = repeat(runtime, right, left);
  }
  if (op == BinaryOperator::kModulo && left.as_text() != nullptr) {
    result = percent_format(runtime, left, right);
  }
  return result ? *std::move(result) : unsupported(runtime, op, left, right);
}

Result<Value> negate(Runtime& runtime, const Value& value) {
  if (const auto integer = value.as_int()) return exact(runtime, checked_subtract(0, *integer));
  if (const auto number = value.as_number()) return Value(-*number);
  return unsupported(runtime, BinaryOperator::kSubtract, Value(int64_t{0}), value);
}

Result<Value> affirm(Runtime& runtime, const Value& value) {
  if (const auto integer = value.as_int()) return Value(*integer);
  if (const auto number = value.as_number()) return Value(*number);
  return unsupported(runtime, BinaryOperator::kAdd, Value(int64_t{0}), value);
}

}  // namespace llama_gpu::text::jinja
