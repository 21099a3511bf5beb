// SPDX-License-Identifier: Apache-2.0
#include "ops/backend.h"

namespace llama_gpu {

void BackendRegistry::add(std::string name, Factory factory) {
  factories_.emplace_back(std::move(name), std::move(factory));
}

Result<std::unique_ptr<Backend>> BackendRegistry::open(std::string_view name,
                                                       const BackendOptions& options) const {
  std::string known;
  for (const auto& [candidate, factory] : factories_) {
    if (candidate == name) return factory(options);
    known += (known.empty() ? "'" : ", '") + candidate + "'";
  }
  return Error{ErrorCode::kInvalidValue,
               "unknown backend '" + std::string(name) + "', this program has " + known,
               "choose one of these", "backend"};
}

std::vector<std::string> BackendRegistry::names() const {
  std::vector<std::string> names;
  names.reserve(factories_.size());
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

}  // namespace llama_gpu
