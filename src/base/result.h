// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error_codes.gen.h"

namespace llama_gpu {

// What failed, in a form that a person can act on and a program can branch on.
//
// `message` names the thing, its value and what was expected; `hint` says what to do. Neither holds an
// address, a secret or a function name: both may reach a client. `param` is the request field or setting at
// fault, `byte_offset` the place in the file that was read. Codes, their HTTP status and exit code stand in
// api/errors.yaml.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string hint = {};
  std::string param = {};
  std::optional<uint64_t> byte_offset = std::nullopt;

  friend bool operator==(const Error&, const Error&) = default;
};

// A value, or the Error that kept it from being made.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & { return check_ok(), *std::get_if<0>(&state_); }
  const T& value() const& { return check_ok(), *std::get_if<0>(&state_); }
  T&& value() && { return check_ok(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  const Error& error() const& { return check_failed_state(), *std::get_if<1>(&state_); }
  Error&& error() && { return check_failed_state(), std::move(*std::get_if<1>(&state_)); }

 private:
  void check_ok() const { CHECK(ok(), "value() of a Result that holds an error"); }
  void check_failed_state() const { CHECK(!ok(), "error() of a Result that holds a value"); }

  std::variant<T, Error> state_;
};

// Success, or the Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }

  // REQUIRES: !ok().
  const Error& error() const& {
    CHECK(error_.has_value(), "error() of a Status that is ok");
    return *error_;
  }
  Error&& error() && {
    CHECK(error_.has_value(), "error() of a Status that is ok");
    return *std::move(error_);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace llama_gpu

#define LLAMAGPU_CONCAT_INNER(a, b) a##b
#define LLAMAGPU_CONCAT(a, b) LLAMAGPU_CONCAT_INNER(a, b)
#define LLAMAGPU_TRY_INNER(declaration, expression, name) \
  auto name = (expression);                               \
  if (!name.ok()) [[unlikely]]                            \
    return ::std::move(name).error();                     \
  declaration = ::std::move(name).value()

// TRY(File file, open_file(path)): declares `file`, or returns the error to the caller.
#define TRY(declaration, expression) \
  LLAMAGPU_TRY_INNER(declaration, expression, LLAMAGPU_CONCAT(try_result_, __LINE__))

// TRY_STATUS(check(x)): goes on, or returns the error to the caller.
#define TRY_STATUS(expression)                                         \
  do {                                                                 \
    if (auto try_status = (expression); !try_status.ok()) [[unlikely]] \
      return ::std::move(try_status).error();                          \
  } while (false)
