// SPDX-License-Identifier: Apache-2.0
#include "app/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/file.h"

namespace llama_gpu::app {

Result<std::string> sha256_of_file(const std::string& path, const std::atomic<bool>& cancelled) {
  const Error no_digest{ErrorCode::kInternal, "SHA-256 cannot be computed on this machine"};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) return no_digest;

  TRY(const File file, File::open_for_reading(path));
  std::vector<std::byte> chunk(size_t{1} << 20);
  for (uint64_t offset = 0;;) {
    if (cancelled) return Error{ErrorCode::kCancelled, "stopped while the file was verified"};
    TRY(const size_t num_read, file.pread(chunk, offset));
    if (num_read == 0) break;
    EVP_DigestUpdate(digest.get(), chunk.data(), num_read);
    offset += num_read;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned int num_bytes = 0;
  if (EVP_DigestFinal_ex(digest.get(), bytes.data(), &num_bytes) != 1) return no_digest;
  std::string hex;
  for (unsigned int i = 0; i < num_bytes; ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace llama_gpu::app
