// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <vector>

#include "base/check.h"
#include "base/file.h"

namespace llama_gpu {

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  const bool can_start =
      state_->digest && EVP_DigestInit_ex(state_->digest.get(), EVP_sha256(), nullptr) == 1;
  CHECK(can_start, "OpenSSL has no SHA-256");
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  EVP_DigestUpdate(state_->digest.get(), bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned int num_bytes = 0;
  CHECK(EVP_DigestFinal_ex(state_->digest.get(), bytes.data(), &num_bytes) == 1, "a SHA-256 cannot be ended");
  std::string hex;
  for (unsigned int i = 0; i < num_bytes; ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

std::string sha256_of(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes);
  return digest.finish();
}

Result<std::string> sha256_of_file(const std::string& path, const std::atomic<bool>& cancelled) {
  TRY(const File file, File::open_for_reading(path));
  Sha256 digest;
  std::vector<std::byte> chunk(size_t{1} << 20);
  for (uint64_t offset = 0;;) {
    if (cancelled) return Error{ErrorCode::kCancelled, "stopped while the file was verified"};
    TRY(const size_t num_read, file.pread(chunk, offset));
    if (num_read == 0) return digest.finish();
    digest.add({reinterpret_cast<const char*>(chunk.data()), num_read});
    offset += num_read;
  }
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace llama_gpu
