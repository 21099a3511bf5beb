// SPDX-License-Identifier: Apache-2.0
#include "device/host_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>

namespace llama_gpu {
namespace {

size_t round_up(size_t value, size_t alignment) { return (value + alignment - 1) / alignment * alignment; }

size_t page_bytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// The size that is mapped for a buffer; release() computes it again.
size_t mapped_bytes(size_t size_bytes) {
  return round_up(size_bytes,
                  size_bytes >= HostDevice::kHugePageBytes ? HostDevice::kHugePageBytes : page_bytes());
}

// `bytes` of zeroed memory at a multiple of `alignment`, nullptr where the system has none.
std::byte* map_aligned(size_t bytes, size_t alignment) {
  const size_t spare = alignment > page_bytes() ? alignment : 0;
  void* mapped = mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  if (spare == 0) return static_cast<std::byte*>(mapped);
  auto* begin = static_cast<std::byte*>(mapped);
  auto* aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<uintptr_t>(begin), alignment));
  const auto head = static_cast<size_t>(aligned - begin);
  if (head > 0) munmap(begin, head);
  if (head < spare) munmap(aligned + bytes, spare - head);
  return aligned;
}

Error out_of_memory(size_t needed_bytes, std::optional<uint64_t> free_bytes) {
  const std::string available =
      free_bytes ? std::to_string(*free_bytes) + " bytes are free" : "the system has no more";
  return Error{ErrorCode::kOutOfMemory,
               "memory for " + std::to_string(needed_bytes) + " bytes is needed, " + available,
               "use a smaller model or context, or end other programs"};
}

std::optional<uint64_t> number_in(const char* path) {
  uint64_t value = 0;
  if (std::ifstream(path) >> value) return value;
  return std::nullopt;  // also for the word "max"
}

std::optional<uint64_t> system_available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  uint64_t kibibytes = 0;
  for (std::string unit; file >> key >> kibibytes; std::getline(file, unit)) {
    if (key == "MemAvailable:") return kibibytes * 1024;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> free_memory_bytes() {
  std::optional<uint64_t> available = system_available_bytes();
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) {
    const uint64_t left = *limit > *used ? *limit - *used : 0;
    available = std::min(left, available.value_or(left));
  }
  return available;
}

std::optional<uint64_t> HostDevice::free_bytes() const { return free_memory_bytes(); }

Result<Buffer> HostDevice::allocate(size_t size_bytes) {
  if (size_bytes == 0) return Buffer(this, nullptr, 0);
  // The system promises more than it has and ends the process later, so the figure is checked first.
  const std::optional<uint64_t> free_bytes =
      size_bytes >= kHugePageBytes ? free_memory_bytes() : std::nullopt;
  if (free_bytes && size_bytes > *free_bytes) return out_of_memory(size_bytes, free_bytes);
  if (size_bytes > std::numeric_limits<size_t>::max() / 2) return out_of_memory(size_bytes, free_bytes);

  const size_t bytes = mapped_bytes(size_bytes);
  const bool is_huge = size_bytes >= kHugePageBytes;
  std::byte* data = map_aligned(bytes, is_huge ? kHugePageBytes : page_bytes());
  if (data == nullptr) return out_of_memory(size_bytes, free_memory_bytes());
  if (is_huge) madvise(data, bytes, MADV_HUGEPAGE);  // a wish: without it everything works, slower
  return Buffer(this, data, size_bytes);
}

std::unique_ptr<Stream> HostDevice::create_stream() { return std::make_unique<HostStream>(); }

Status HostDevice::copy_to_device(std::span<const std::byte> host, std::byte* device) {
  if (!host.empty()) std::memcpy(device, host.data(), host.size());
  return {};
}

void HostDevice::release(std::byte* data, size_t size_bytes) {
  if (data != nullptr) munmap(data, mapped_bytes(size_bytes));
}

}  // namespace llama_gpu
