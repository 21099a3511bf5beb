// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llama_gpu::server {

// How long a connection may take over each part of its life.
struct HttpTimeouts {
  std::chrono::milliseconds head{10'000};  // from a request's first byte to the end of its header section
  std::chrono::milliseconds idle{75'000};  // between requests
  std::chrono::milliseconds body_window{10'000};  // in each of these while a body comes in...
  int64_t body_bytes_per_window = 10 << 10;       // ...so much of it must arrive, or it is given up
  std::chrono::milliseconds write_stall{60'000};  // without the client reading anything
  // Until a silent stream gets a keep-alive comment; the first one begins the answer, once a worker has the
  // request.
  std::chrono::milliseconds silence{15'000};
  std::chrono::milliseconds linger{2'000};  // reading on after a refusal, so that it is not lost to a reset
};

// How much of a connection is kept in memory.
struct HttpLimits {
  size_t max_head_bytes = size_t{64} << 10;
  size_t max_head_fields = 100;
  size_t max_stream_backlog_bytes = size_t{1} << 20;   // unread bytes of a stream; beyond, its news wait
  int64_t max_waiting_news_bytes = int64_t{64} << 20;  // of one stream; beyond, it ends with an error
  int64_t max_waiting_news_bytes_of_all = int64_t{256} << 20;  // beyond, those with over a MiB of it end
  size_t max_pipelined_bytes = size_t{64} << 10;     // of requests behind the one that is being answered
  size_t always_held_body_bytes = size_t{64} << 10;  // of each body, whatever the others hold
  int64_t max_refused_connections = 64;  // at once, above max_connections; beyond, closed without a word
};

// What a Server is started with.
struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8484;                    // 0: any free one
  std::vector<std::string> api_keys = {};  // empty: none is asked for
  bool insecure_no_auth = false;           // listen where others can reach it without a key
  std::vector<std::string> allowed_hosts = {};
  int64_t max_body_bytes = int64_t{8} << 20;
  int64_t max_unfinished_body_bytes = int64_t{256} << 20;  // of all bodies that are coming in, together
  int64_t max_connections = 1024;
  int32_t num_threads = 2;
  std::string version = "0.0.0";
  HttpTimeouts timeouts = {};
  HttpLimits limits = {};
};

}  // namespace llama_gpu::server
