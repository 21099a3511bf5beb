// SPDX-License-Identifier: Apache-2.0
#include "app/bandwidth_probe.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <span>
#include <thread>
#include <vector>

#include "base/checked_math.h"
#include "base/clock.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr int kNumPasses = 9;

// Anonymous memory on huge pages where possible.
class Memory {
 public:
  explicit Memory(size_t size_bytes)
      : size_bytes_(size_bytes),
        data_(::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (is_valid()) ::madvise(data_, size_bytes_, MADV_HUGEPAGE);
  }
  ~Memory() {
    if (is_valid()) ::munmap(data_, size_bytes_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  bool is_valid() const { return data_ != MAP_FAILED; }
  std::span<uint64_t> words() const {
    return {static_cast<uint64_t*>(data_), size_bytes_ / sizeof(uint64_t)};
  }

 private:
  size_t size_bytes_;
  void* data_;
};

std::vector<int> usable_cores() {
  cpu_set_t set;
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  return cores;
}

void pin_this_thread(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

// Reads every word. Independent sums, so that the memory and not the adding is what takes time.
uint64_t read_all(std::span<const uint64_t> words) {
  constexpr size_t kWidth = 16;
  std::array<uint64_t, kWidth> sums{};
  size_t i = 0;
  for (; i + kWidth <= words.size(); i += kWidth) {
    for (size_t j = 0; j < kWidth; ++j) sums[j] ^= words[i + j];
  }
  for (; i < words.size(); ++i) sums[0] ^= words[i];
  uint64_t sum = 0;
  for (uint64_t part : sums) sum ^= part;
  return sum;
}

}  // namespace

int num_usable_cores() { return std::max(1, int(usable_cores().size())); }

Result<double> probe_read_bandwidth(uint64_t size_bytes, int num_threads) {
  const std::vector<int> cores = usable_cores();
  const size_t threads = num_threads > 0 ? size_t(num_threads) : std::max<size_t>(1, cores.size());
  const size_t part_bytes =
      checked_align_up(ceil_div<uint64_t>(size_bytes, threads), kHugePageBytes).value_or(0);
  const Memory memory(part_bytes * threads);
  if (!memory.is_valid()) {
    return Error{ErrorCode::kOutOfMemory,
                 format_size(size_bytes) + " to measure the read bandwidth are not there"};
  }

  std::array<double, kNumPasses> seconds{};
  SteadyTime begun;
  int pass = -1;
  std::barrier step(std::ptrdiff_t(threads), [&]() noexcept {
    const SteadyTime now = system_clock().now();
    if (pass >= 0) seconds[size_t(pass)] = std::chrono::duration<double>(now - begun).count();
    ++pass;
    begun = now;
  });
  std::vector<uint64_t> sums(threads * 8);  // a cache line each
  const auto read_part = [&](size_t thread_idx) {
    if (!cores.empty()) pin_this_thread(cores[thread_idx % cores.size()]);
    const size_t part_words = part_bytes / sizeof(uint64_t);
    const std::span<uint64_t> part = memory.words().subspan(thread_idx * part_words, part_words);
    std::ranges::fill(part, thread_idx + 1);
    step.arrive_and_wait();
    for (int i = 0; i < kNumPasses; ++i) {
      sums[thread_idx * 8] += read_all(part);
      step.arrive_and_wait();
    }
  };
  {
    std::vector<std::jthread> workers;
    for (size_t i = 0; i < threads; ++i) workers.emplace_back(read_part, i);
  }
  std::ranges::sort(seconds);
  // The sums are used, or the compiler would leave the reads out.
  const bool is_read = std::ranges::none_of(sums, [](uint64_t sum) { return sum == ~uint64_t{0}; });
  return is_read ? double(part_bytes * threads) / seconds[kNumPasses / 2] : 0.0;
}

}  // namespace llama_gpu::app
