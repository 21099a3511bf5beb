// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace llama_gpu::server {

// One file of the dashboard, as it lies in the program.
struct Asset {
  std::string_view path;  // "/index.html", "/assets/index-abc.js"
  std::string_view content_type;
  std::string_view etag;  // quoted
  std::string_view content;
  bool is_immutable = false;  // its name changes with its content
};

// All of them; they live as long as the program. Without "/index.html" there is no dashboard.
using Assets = std::span<const Asset>;

}  // namespace llama_gpu::server
