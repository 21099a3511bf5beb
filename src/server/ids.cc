// SPDX-License-Identifier: Apache-2.0
#include "server/ids.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace llama_gpu::server {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";  // 32, so that all are as likely

bool is_safe(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

std::string random_id(std::string_view prefix) {
  std::array<unsigned char, 24> bytes;
  CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "the machine gives random bytes");
  std::string id(prefix);
  for (const unsigned char byte : bytes) id += kAlphabet[byte % kAlphabet.size()];
  return id;
}

bool is_safe_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, is_safe);
}

}  // namespace llama_gpu::server
