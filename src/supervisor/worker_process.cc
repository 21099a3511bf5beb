// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/failpoint.h"

namespace llama_gpu::supervisor {
namespace {

// Above the descriptors that a child gets, so that giving one never overwrites another.
constexpr int kFirstOwnFd = 10;

Error system_error(std::string_view action) {
  return {ErrorCode::kIoFailed, "cannot " + std::string(action) + ": " + std::strerror(errno),
          "look for limits on processes and open files"};
}

// Closes on exec by itself. By number: the header of glibc 2.36 declares the function for C only.
UniqueFd open_process(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

UniqueFd move_up(UniqueFd fd) { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstOwnFd)); }

// Both ends of what connects to a child: ours and the child's.
struct Pair {
  UniqueFd ours, theirs;
};

Result<Pair> make_socket() {
  std::array<int, 2> ends;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return system_error("make a socket");
  Pair pair{move_up(UniqueFd(ends[0])), move_up(UniqueFd(ends[1]))};
  if (pair.ours.get() < 0 || pair.theirs.get() < 0) return system_error("make a socket");
  return pair;
}

Result<Pair> make_pipe() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("make a pipe");
  Pair pair{move_up(UniqueFd(ends[0])), move_up(UniqueFd(ends[1]))};
  if (pair.ours.get() < 0 || pair.theirs.get() < 0) return system_error("make a pipe");
  ::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK);
  return pair;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> child_environment(const WorkerCommand& command) {
  if (command.environment) return *command.environment;
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_secret_variable(*variable, command.secret_variables)) kept.emplace_back(*variable);
  }
  return kept;
}

// What posix_spawn needs beside program and arguments, freed with it.
class SpawnSettings {
 public:
  SpawnSettings(int socket_fd, int log_fd, bool leads_group) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, log_fd, STDERR_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, socket_fd, kWorkerSocketFd);
    // Ours all close on exec; this is for those that a library opened without.
    ::posix_spawn_file_actions_addclosefrom_np(&files, kWorkerSocketFd + 1);

    ::posix_spawnattr_init(&attributes);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    const int group = leads_group ? POSIX_SPAWN_SETPGROUP : 0;
    ::posix_spawnattr_setflags(&attributes,
                               static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

}  // namespace

bool is_secret_variable(std::string_view variable, std::span<const std::string> own_secrets) {
  const std::string_view name = variable.substr(0, variable.find('='));
  if (std::find(own_secrets.begin(), own_secrets.end(), name) != own_secrets.end()) return true;
  if (name.starts_with("LLAMAGPU_")) return false;  // ours: those that are secret are named
  for (const std::string_view word : {"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"}) {
    if (name.find(word) != std::string_view::npos) return true;
  }
  return false;
}

uint64_t count_oom_kills(const std::string& vmstat_path) {
  std::ifstream file(vmstat_path);
  std::string name;
  uint64_t count = 0;
  while (file >> name >> count) {
    if (name == "oom_kill") return count;
  }
  return 0;
}

Result<WorkerProcess> WorkerProcess::spawn(const WorkerCommand& command) {
  TRY_STATUS(failpoint("worker.spawn"));
  TRY(Pair socket, make_socket());
  TRY(Pair log, make_pipe());
  const SpawnSettings settings(socket.theirs.get(), log.theirs.get(), command.leads_group);
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = child_environment(command);

  WorkerProcess process;
  process.note_oom_kills();
  const int failed =
      ::posix_spawn(&process.pid_, command.program.c_str(), &settings.files, &settings.attributes,
                    pointers(arguments).data(), pointers(environment).data());
  if (failed != 0) {
    errno = failed;
    return system_error("start a worker process");
  }
  process.is_reaped_ = false;
  process.leads_group_ = command.leads_group;
  process.exit_ = open_process(process.pid_);
  if (process.exit_.get() < 0) return system_error("watch a worker process");
  process.socket_ = std::move(socket.ours);
  process.log_ = std::move(log.ours);
  return process;
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(other.pid_),
      exit_(std::move(other.exit_)),
      socket_(std::move(other.socket_)),
      log_(std::move(other.log_)),
      is_reaped_(std::exchange(other.is_reaped_, true)),
      leads_group_(other.leads_group_),
      oom_kills_seen_(other.oom_kills_seen_) {}

WorkerProcess::~WorkerProcess() {
  if (is_reaped_) return;
  send_signal(SIGKILL);
  siginfo_t info;
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) < 0 && errno == EINTR) {
  }
}

void WorkerProcess::send_signal(int signal) const {
  if (!is_reaped_) ::kill(leads_group_ ? -pid_ : pid_, signal);
}

// Until the leader is reaped, its number cannot be that of another group.
void WorkerProcess::kill_group() const {
  siginfo_t info{};
  const bool has_ended =
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
  if (has_ended) ::kill(-pid_, SIGKILL);
}

std::optional<ProcessEnd> WorkerProcess::reap() {
  if (leads_group_ && !is_reaped_) kill_group();
  siginfo_t info{};
  if (is_reaped_ || ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  is_reaped_ = true;
  ProcessEnd end;
  if (info.si_code == CLD_EXITED) {
    end.exit_code = info.si_status;
  } else {
    end.signal = info.si_status;
    end.was_out_of_memory = count_oom_kills() > oom_kills_seen_;
  }
  return end;
}

char WorkerProcess::state_letter() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  // The name before it is in brackets and may hold anything.
  const std::string stat = std::move(text).str();
  const size_t bracket = stat.rfind(") ");
  return bracket == std::string::npos ? '?' : stat[bracket + 2];
}

}  // namespace llama_gpu::supervisor
