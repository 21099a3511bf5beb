// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace llama_gpu::cpu {

// Threads that compute one job after another, each thread on a core of its own.
//
// A job is cut into pieces that threads claim one by one, so that a thread which another program pushes off
// its core delays its own piece only. Between jobs a worker spins for some microseconds and then sleeps. The
// thread that calls run() works too. Thread-safe: jobs of several callers run one after another.
class ThreadPool {
 public:
  // `num_threads` counts the caller; 0: as many as this process may use cores.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(piece, thread) for each piece in [0, num_pieces), thread in [0, num_threads()), and returns
  // when all are done. Allocates nothing. REQUIRES: num_pieces < 2^31; `work` does not call run().
  template <typename Work>
  void run(int64_t num_pieces, const Work& work) {
    run_job({[](const void* context, int64_t piece, int thread) {
               (*static_cast<const Work*>(context))(piece, thread);
             },
             &work, num_pieces});
  }

 private:
  // Work without its type, so that a job needs no allocation.
  struct Job {
    void (*call)(const void* context, int64_t piece, int thread);
    const void* context;
    int64_t num_pieces;
  };

  // What run() and the workers do; the .cc file says how a job is handed over.
  void run_job(const Job& job);
  void worker_loop(int thread);
  void work_on(uint32_t epoch, int thread);
  uint32_t wait_for_job(uint32_t last_epoch);

  std::mutex one_job_at_a_time_;
  // The job of this moment. Atomic, because a thread that wakes late may read it while the next one is
  // stored; it then fails to claim a piece and throws away what it read.
  std::atomic<decltype(Job::call)> call_ = nullptr;
  std::atomic<const void*> context_ = nullptr;
  std::atomic<int64_t> num_pieces_ = 0;
  alignas(64) std::atomic<uint64_t> claim_ = 0;  // job number << 32 | next piece
  alignas(64) std::atomic<int64_t> done_ = 0;    // pieces finished
  alignas(64) std::atomic<uint32_t> epoch_ = 0;  // job number, to sleep on
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;
};

// The cores this process may run on, ascending.
std::vector<int> allowed_cores();

}  // namespace llama_gpu::cpu
