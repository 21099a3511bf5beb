// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu {

// A SHA-256 in the making. One thread.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  // More of what is hashed; pieces of any size come to the same.
  void add(std::string_view bytes);
  // Of all bytes added, in lower-case hexadecimal digits. The last call.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The SHA-256 of a text in lower-case hexadecimal digits.
std::string sha256_of(std::string_view bytes);

// The same of a file. kCancelled once `cancelled` is set.
Result<std::string> sha256_of_file(const std::string& path, const std::atomic<bool>& cancelled);

// Whether a text has the form of one, in either case.
bool is_sha256(std::string_view text);

}  // namespace llama_gpu
