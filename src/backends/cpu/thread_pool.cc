// SPDX-License-Identifier: Apache-2.0
//
// How a job is handed over. The caller closes the claim word, stores the job, then publishes {job number,
// next piece = 0} in that word. A thread reads the word, then the job, then claims piece i by moving the word
// from {number, i} to {number, i + 1}. The word is closed before any part of a job is overwritten, so whoever
// has read a part of the next job finds the word changed and claims nothing, however long it slept in
// between.
#include "backends/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>

#include "backends/cpu/spin.h"
#include "base/check.h"

namespace llama_gpu::cpu {
namespace {

// About 40 us on a processor whose pause takes 40 ns: longer than the gap between two ops of a step, shorter
// than what a neighbour on the same core would notice.
constexpr int kSpins = 1000;

// Stands where the next piece does while a job is being stored: no piece has this number.
constexpr uint64_t kClosed = 0xffffffff;

constexpr uint64_t claim_word(uint32_t epoch, uint64_t piece) { return (uint64_t{epoch} << 32) | piece; }

void pin_to(std::thread& thread, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  // A system that forbids it (a container's policy) costs speed, nothing else.
  pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set);
}

}  // namespace

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(static_cast<size_t>(core), &set)) cores.push_back(core);
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

ThreadPool::ThreadPool(int num_threads) {
  const std::vector<int> cores = allowed_cores();
  const size_t count = num_threads > 0 ? static_cast<size_t>(num_threads) : cores.size();
  // The caller stays unpinned: threads that it starts later would inherit its one core.
  for (size_t i = 1; i < count; ++i) {
    workers_.emplace_back([this, i] { worker_loop(static_cast<int>(i)); });
    if (cores.size() > 1) pin_to(workers_.back(), cores[i % cores.size()]);
  }
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  ++epoch_;
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_job(const Job& job) {
  if (job.num_pieces <= 0) return;
  CHECK(job.num_pieces < (int64_t{1} << 31), "a job has too many pieces to count");
  const std::scoped_lock lock(one_job_at_a_time_);
  if (job.num_pieces == 1 || workers_.empty()) {
    for (int64_t piece = 0; piece < job.num_pieces; ++piece) job.call(job.context, piece, 0);
    return;
  }
  const uint32_t number = epoch_.load(std::memory_order_relaxed) + 1;
  claim_.store(claim_word(number, kClosed), std::memory_order_relaxed);
  call_.store(job.call, std::memory_order_release);
  context_.store(job.context, std::memory_order_release);
  num_pieces_.store(job.num_pieces, std::memory_order_release);
  done_.store(0, std::memory_order_relaxed);
  claim_.store(claim_word(number, 0), std::memory_order_release);
  epoch_.store(number, std::memory_order_release);
  epoch_.notify_all();

  work_on(number, 0);
  for (int spins = 0; spins < kSpins; ++spins) {
    if (done_.load(std::memory_order_acquire) == job.num_pieces) return;
    spin_pause();
  }
  for (int64_t done = done_.load(std::memory_order_acquire); done != job.num_pieces;
       done = done_.load(std::memory_order_acquire)) {
    done_.wait(done, std::memory_order_acquire);
  }
}

void ThreadPool::work_on(uint32_t epoch, int thread) {
  uint64_t claim = claim_.load(std::memory_order_acquire);
  while (claim >> 32 == epoch) {
    const auto call = call_.load(std::memory_order_acquire);
    const void* context = context_.load(std::memory_order_acquire);
    const int64_t num_pieces = num_pieces_.load(std::memory_order_acquire);
    const auto piece = static_cast<int64_t>(claim & 0xffffffff);
    if (piece >= num_pieces) return;
    if (!claim_.compare_exchange_weak(claim, claim + 1, std::memory_order_acq_rel)) continue;
    call(context, piece, thread);
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_pieces && thread != 0) done_.notify_one();
    claim = claim_.load(std::memory_order_acquire);
  }
}

uint32_t ThreadPool::wait_for_job(uint32_t last_epoch) {
  for (int spins = 0; spins < kSpins; ++spins) {
    const uint32_t epoch = epoch_.load(std::memory_order_acquire);
    if (epoch != last_epoch) return epoch;
    spin_pause();
  }
  epoch_.wait(last_epoch, std::memory_order_acquire);
  return epoch_.load(std::memory_order_acquire);
}

void ThreadPool::worker_loop(int thread) {
  uint32_t epoch = 0;
  while (true) {
    epoch = wait_for_job(epoch);
    if (stopping_) return;
    work_on(epoch, thread);
  }
}

}  // namespace llama_gpu::cpu
