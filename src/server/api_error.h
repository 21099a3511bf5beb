// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "server/http_message.h"

namespace llama_gpu::server {

// The wire form of an Error: {"message", "type", "param", "code"}, all four keys always there.
std::string error_object(const Error& error);

// {"error": error_object()}
std::string error_body(const Error& error);

// The answer for it: status and retry advice from api/errors.yaml.
HttpResponse error_response(const Error& error);

// The end of a stream that fails: one event with error_body(), then [DONE].
std::string error_events(const Error& error);

// A 200 of content type application/json.
HttpResponse json_response(std::string body);

}  // namespace llama_gpu::server
