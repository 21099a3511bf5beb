// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ops/op_table.h"

namespace llama_gpu {

// What a backend is opened with.
struct BackendOptions {
  int num_threads = 0;      // host threads that compute; 0: one for each core this process may use
  int max_step_rows = 512;  // the largest step: scratch memory is reserved for it
  std::string isa = "";     // "scalar", "avx2", "avx512" or "" for the best that the processor has
};

// A device with its ops. Thread-safe where it says nothing else; outlives the weights it packed.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;    // "cpu", "reference"
  virtual std::string description() const = 0;  // for people: "cpu avx512, 2 threads"
  virtual Device& device() = 0;
  virtual const OpTable& ops() const = 0;

  // Copies a weight into this backend's layout, so that the file's pages can be released.
  // kUnsupportedModel when the backend has no kernel for the type.
  virtual Result<std::unique_ptr<const Weight>> pack(const HostTensor& tensor) = 0;

  // Most values of one attention head that its ops have room for.
  virtual int64_t max_head_dim() const = 0;

  // Bytes that one layer needs for one KV block (keys and values).
  virtual int64_t kv_block_bytes(const KvGeometry& geometry) const = 0;
};

// The backends linked into this program, by name. Filled by `app` before threads start; `engine` opens by
// name.
class BackendRegistry {
 public:
  using Factory = std::function<Result<std::unique_ptr<Backend>>(const BackendOptions&)>;

  // Makes a backend known. REQUIRES: no other has the name.
  void add(std::string name, Factory factory);
  // kInvalidValue naming the known backends when there is none of that name.
  Result<std::unique_ptr<Backend>> open(std::string_view name, const BackendOptions& options) const;
  std::vector<std::string> names() const;

 private:
  std::vector<std::pair<std::string, Factory>> factories_;
};

}  // namespace llama_gpu
