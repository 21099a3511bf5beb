// SPDX-License-Identifier: Apache-2.0
//
// Speed of linear ops on every weight type, beside the limits of the machine. See README.md.
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/isa_levels.h"
#include "backends/cpu/thread_pool.h"
#include "device/host_device.h"
#include "tensor/blocks.h"

namespace llama_gpu {
namespace {

constexpr int64_t kWeightBytes = int64_t{256} << 20;  // far beyond the caches of a core
constexpr int64_t kCols = 2048;

// Median seconds of a call, over half a second or five calls.
double median_seconds(const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  call();
  for (const auto begin = Clock::now();
       seconds.size() < 5 || Clock::now() - begin < std::chrono::milliseconds(500);) {
    const auto start = Clock::now();
    call();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::ranges::nth_element(seconds, seconds.begin() + std::ssize(seconds) / 2);
  return seconds[seconds.size() / 2];
}

// Bytes per second at which all threads read `buffer` and do nothing else.
double read_bandwidth(cpu::ThreadPool& pool, const Buffer& buffer) {
  constexpr int64_t kPiece = 1 << 20;
  const auto* numbers = reinterpret_cast<const uint64_t*>(buffer.data());
  std::vector<uint64_t> sums(static_cast<size_t>(pool.num_threads()) * 8);
  const double seconds = median_seconds([&] {
    pool.run(std::ssize(std::span(buffer.data(), buffer.size_bytes())) / kPiece,
             [&](int64_t piece, int thread) {
               uint64_t lanes[8] = {};
               const uint64_t* first = numbers + piece * kPiece / 8;
               for (int64_t i = 0; i < kPiece / 8; i += 8) {
                 for (int64_t lane = 0; lane < 8; ++lane) lanes[lane] |= first[i + lane];
               }
               for (const uint64_t lane : lanes) sums[static_cast<size_t>(thread) * 8] |= lane;
             });
  });
  if (sums[0] == 1) std::puts("");  // keeps the loads
  return static_cast<double>(buffer.size_bytes()) / seconds;
}

// 8-bit operations per second of all threads with everything in registers. Zero without the instruction.
__attribute__((target("avx512f,avx512vnni"))) void dot_products(int64_t rounds) {
  __m512i sums[12] = {};
  const __m512i ones = _mm512_set1_epi8(1);
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512i& sum : sums) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(ones));
  }
}
double int8_rate(cpu::ThreadPool& pool) {
  if (!__builtin_cpu_supports("avx512vnni")) return 0;
  constexpr int64_t kRounds = 20000;
  const double seconds =
      median_seconds([&] { pool.run(pool.num_threads(), [](int64_t, int) { dot_products(kRounds); }); });
  return pool.num_threads() * kRounds * 12.0 * 64 * 2 / seconds;
}

// Random blocks whose scales are small numbers; float types get ones, because numbers near the smallest float
// would measure how a processor handles those.
std::vector<std::byte> random_weight(DType dtype, int64_t rows) {
  std::vector<std::byte> bytes(static_cast<size_t>(rows * row_bytes(dtype, kCols)));
  std::mt19937_64 random(1);
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    uint64_t bits = random() & 0x2fff2fff2fff2fff;
    if (dtype == DType::kF32) bits = 0x3f8000003f800000;
    if (dtype == DType::kBF16) bits = 0x3f803f803f803f80;
    std::memcpy(bytes.data() + i, &bits, 8);
  }
  return bytes;
}

void measure(Backend& backend, DType dtype, double bandwidth, double peak) {
  const int64_t rows = kWeightBytes / row_bytes(dtype, kCols) / 32 * 32;
  const std::vector<std::byte> bytes = random_weight(dtype, rows);
  const auto start = std::chrono::steady_clock::now();
  const auto weight = backend.pack({dtype, rows, kCols, bytes}).value();
  const double pack_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto stream = backend.device().create_stream();
  std::printf("%-5s pack %5.2f GB/s |", std::string(dtype_info(dtype).name).c_str(),
              static_cast<double>(bytes.size()) / pack_seconds / 1e9);
  for (const int64_t n : {1, 2, 4, 8, 16, 32, 256}) {
    // Many rows multiply a part of the weight, as a layer does.
    const int64_t outputs = n > 32 ? 4096 : rows;
    const auto part =
        n > 32 ? backend
                     .pack({dtype, outputs, kCols,
                            std::span(bytes).first(static_cast<size_t>(outputs * row_bytes(dtype, kCols)))})
                     .value()
               : nullptr;
    std::vector<float> x(static_cast<size_t>(n * kCols), 0.5f), y(static_cast<size_t>(n * outputs));
    const LinearTarget target = {part ? part.get() : weight.get(), {y.data(), n, outputs}};
    const double seconds = median_seconds(
        [&] { backend.ops().linear(*stream, {MatrixView<const float>(x.data(), n, kCols), {&target, 1}}); });
    const double gigabytes = static_cast<double>(target.weight->size_bytes()) / seconds / 1e9;
    const double gigaops = 2.0 * static_cast<double>(n * kCols * outputs) / seconds / 1e9;
    if (n <= 4)
      std::printf("  n=%ld %5.1f GB/s %3.0f%%", n, gigabytes, 100e9 * gigabytes / bandwidth);
    else
      std::printf("  n=%ld %5.0f Gop/s %3.0f%%", n, gigaops, peak > 0 ? 100e9 * gigaops / peak : 0.0);
    std::fflush(stdout);
  }
  std::printf("\n");
}

int run(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  auto backend =
      make_cpu_backend({.num_threads = threads, .max_step_rows = 512, .isa = argc > 2 ? argv[2] : ""});
  if (!backend.ok()) {
    std::fprintf(stderr, "%s\n", backend.error().message.c_str());
    return 2;
  }
  cpu::ThreadPool pool(threads);
  const Buffer buffer = (*backend)->device().allocate(kWeightBytes).value();
  std::fill_n(buffer.data(), buffer.size_bytes(), std::byte{1});
  std::printf("%s\n", (*backend)->description().c_str());
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0, DType::kQ4_K, DType::kQ6_K,
                            DType::kBF16, DType::kF16, DType::kF32}) {
    if (argc > 3 && dtype_info(dtype).name != argv[3]) continue;
    const double bandwidth = read_bandwidth(pool, buffer), peak = int8_rate(pool);
    std::printf("reads %5.1f GB/s, int8 %5.0f Gop/s: ", bandwidth / 1e9, peak / 1e9);
    measure(**backend, dtype, bandwidth, peak);
  }
  return 0;
}

}  // namespace
}  // namespace llama_gpu

int main(int argc, char** argv) { return llama_gpu::run(argc, argv); }
