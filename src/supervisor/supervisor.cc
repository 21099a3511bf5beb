// SPDX-License-Identifier: Apache-2.0
#include "supervisor/supervisor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace llama_gpu::supervisor {
namespace {

// What an epoll event says: a worker's key and which of its descriptors.
enum class Source : uint64_t { kExit = 0, kSocket = 1, kLog = 2, kWake = 3 };

uint64_t event_data(uint64_t key, Source source) { return (key << 2) | static_cast<uint64_t>(source); }

// Makes epoll forget a descriptor that is open still, but not waited for any more. Those that were closed it
// forgot by itself, and their numbers may be those of other threads by now.
void forget(int epoll_fd, int before, int now) {
  if (before >= 0 && before != now) ::epoll_ctl(epoll_fd, EPOLL_CTL_DEL, before, nullptr);
}

// Makes epoll watch a descriptor, or changes what it is watched for.
void watch(int epoll_fd, int fd, uint32_t events, uint64_t data) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (::epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0) ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Supervisor::Supervisor(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

Result<std::unique_ptr<Supervisor>> Supervisor::start(std::vector<Member> members, const Clock& clock) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (epoll.get() < 0 || wake.get() < 0) {
    return Error{ErrorCode::kIoFailed, std::string("cannot watch workers: ") + std::strerror(errno),
                 "raise the limit on open files"};
  }
  std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(epoll), std::move(wake)));
  watch(supervisor->epoll_.get(), supervisor->wake_.get(), EPOLLIN, event_data(0, Source::kWake));
  supervisor->clock_ = &clock;
  for (Member& member : members) supervisor->place(std::move(member));
  supervisor->publish();
  supervisor->thread_ = std::thread(&Supervisor::run, supervisor.get());
  return supervisor;
}

Supervisor::~Supervisor() { stop(); }

void Supervisor::place(Member member) {
  Place place;
  place.key = ++last_key_;
  place.worker =
      std::make_unique<Worker>(std::move(member.spec), *member.session, *clock_, [this] { publish(); });
  places_.push_back(std::move(place));
  published_version_ = ~uint64_t{0};  // a sum over other workers says nothing
}

bool Supervisor::add(Member member) {
  return post([this, member = std::move(member)]() mutable { place(std::move(member)); });
}

bool Supervisor::remove(std::string id, std::function<void()> gone) {
  return post(
      [this, id = std::move(id), gone = std::move(gone)]() mutable { begin_removal(id, std::move(gone)); });
}

void Supervisor::begin_removal(const std::string& id, std::function<void()> gone) {
  for (Place& place : places_) {
    if (place.worker->id() != id) continue;
    place.gone.push_back(std::move(gone));
    place.worker->stop();
    return;
  }
  gone();
}

void Supervisor::forget_removed() {
  std::vector<std::function<void()>> gone;
  for (Place& place : places_) {
    if (place.gone.empty() || !place.worker->is_over()) continue;
    // Its descriptors were closed, which epoll has seen by itself.
    place.worker.reset();
    for (auto& hearer : place.gone) gone.push_back(std::move(hearer));
  }
  if (gone.empty()) return;
  std::erase_if(places_, [](const Place& place) { return !place.worker; });
  published_version_ = ~uint64_t{0};
  publish();
  for (const auto& hearer : gone) hearer();
}

bool Supervisor::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_) return false;
    tasks_.push_back(std::move(task));
  }
  ::eventfd_write(wake_.get(), 1);
  return true;
}

std::vector<WorkerStatus> Supervisor::workers() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

void Supervisor::let_end() {
  post([this] {
    for (const Place& place : places_) place.worker->let_end();
  });
}

void Supervisor::kill() {
  post([this] {
    for (const Place& place : places_) place.worker->kill();
  });
}

void Supervisor::stop() {
  const std::lock_guard lock(stop_mutex_);
  {
    const std::lock_guard state_lock(mutex_);
    is_stop_asked_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void Supervisor::run() {
  do {
    const bool is_stopping = run_tasks();
    for (const Place& place : places_) {
      if (is_stopping) place.worker->stop();
      place.worker->on_tick();
      place.worker->flush();
    }
    forget_removed();
    publish();
  } while (wait());
  close_gate();
}

// Posts that came before the gate closed run still, so that none is lost.
void Supervisor::close_gate() {
  for (;;) {
    run_tasks();
    forget_removed();
    const std::lock_guard lock(mutex_);
    is_stopped_ = tasks_.empty();
    if (is_stopped_) return;
  }
}

bool Supervisor::wait() {
  const auto is_over = [](const Place& place) { return place.worker->is_over(); };
  if (is_stopping_ && std::all_of(places_.begin(), places_.end(), is_over)) return false;
  milliseconds timeout{1'000};
  for (const Place& place : places_) timeout = std::min(timeout, place.worker->until_next_tick());
  update_watched();
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(timeout.count()));
  for (int i = 0; i < count; ++i) handle(events[static_cast<size_t>(i)].data.u64);
  return true;
}

void Supervisor::update_watched() {
  const int epoll_fd = epoll_.get();
  for (Place& place : places_) {
    const Worker::WaitFor now = place.worker->wait_for();
    const Worker::WaitFor before = std::exchange(place.watched, now);
    if (before.process == now.process) {
      forget(epoll_fd, before.exit_fd, now.exit_fd);
      forget(epoll_fd, before.socket_fd, now.socket_fd);
      forget(epoll_fd, before.log_fd, now.log_fd);
    }
    const uint32_t send_events = now.wants_to_send ? static_cast<uint32_t>(EPOLLOUT) : 0U;
    watch(epoll_fd, now.exit_fd, EPOLLIN, event_data(place.key, Source::kExit));
    watch(epoll_fd, now.socket_fd, EPOLLIN | send_events, event_data(place.key, Source::kSocket));
    watch(epoll_fd, now.log_fd, EPOLLIN, event_data(place.key, Source::kLog));
  }
}

void Supervisor::handle(uint64_t event_data) {
  const auto source = static_cast<Source>(event_data & 3);
  if (source == Source::kWake) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
    return;
  }
  const auto place =
      std::find_if(places_.begin(), places_.end(), [&](const Place& p) { return p.key == event_data >> 2; });
  if (place == places_.end()) return;
  Worker& worker = *place->worker;
  if (source == Source::kExit) return worker.on_exit();
  if (source == Source::kSocket) return worker.on_socket();
  worker.on_log();
}

bool Supervisor::run_tasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
    is_stopping_ = is_stop_asked_;
  }
  for (const auto& task : tasks) task();
  return is_stopping_;
}

void Supervisor::publish() {
  uint64_t version = 0;
  for (const Place& place : places_) version += place.worker->version();
  // Step frames change nothing that is published, and come often.
  if (version == std::exchange(published_version_, version)) return;
  std::vector<WorkerStatus> statuses;
  statuses.reserve(places_.size());
  for (const Place& place : places_) statuses.push_back(place.worker->status());
  const std::lock_guard lock(mutex_);
  published_ = std::move(statuses);
}

}  // namespace llama_gpu::supervisor
