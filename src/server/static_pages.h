// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "server/assets.h"
#include "server/http_message.h"

namespace llama_gpu::server {

// The dashboard's answer to a GET of `path`: a file of its, or its page for a deep link such as /overview.
// nullopt where neither is meant: paths under /v1, /admin and /api (in any case), with a file's ending, or
// with tricks in them, so that no client of the API ever gets a page.
std::optional<HttpResponse> static_page(const Assets& assets, std::string_view path,
                                        const HttpRequest& request);

}  // namespace llama_gpu::server
