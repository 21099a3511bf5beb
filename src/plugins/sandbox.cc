// SPDX-License-Identifier: Apache-2.0
#include "plugins/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "plugins/landlock.h"
#include "plugins/namespaces.h"
#include "plugins/sandbox_paths.h"
#include "plugins/syscall_filter.h"
#include "supervisor/unique_fd.h"
#include "supervisor/wire_json.h"
#include "supervisor/worker_process.h"

namespace llama_gpu {
namespace {

using plugins::LayerReport;
using plugins::SandboxPolicy;

// How a policy travels to the process that it is for.
struct PolicyOnWire {
  std::string package, data;
  std::vector<std::string> read, write;
  bool network = false;
  int64_t memory_bytes = 0, file_size_bytes = 0, open_files = 0, processes = 0;
};

// How reports travel back.
struct LayerOnWire {
  std::string layer;
  bool active = false;
  std::optional<std::string> reason;
};
struct LayersOnWire {
  std::vector<LayerOnWire> sandbox;
};

}  // namespace

namespace supervisor {

template <>
struct WireFields<PolicyOnWire> {
  static constexpr auto value = std::tuple{field("package", &PolicyOnWire::package),
                                           field("data", &PolicyOnWire::data),
                                           field("read", &PolicyOnWire::read),
                                           field("write", &PolicyOnWire::write),
                                           field("network", &PolicyOnWire::network),
                                           field("memory_bytes", &PolicyOnWire::memory_bytes),
                                           field("file_size_bytes", &PolicyOnWire::file_size_bytes),
                                           field("open_files", &PolicyOnWire::open_files),
                                           field("processes", &PolicyOnWire::processes)};
};

template <>
struct WireFields<LayerOnWire> {
  static constexpr auto value =
      std::tuple{field("layer", &LayerOnWire::layer), field("active", &LayerOnWire::active),
                 field("reason", &LayerOnWire::reason)};
};

template <>
struct WireFields<LayersOnWire> {
  static constexpr auto value = std::tuple{field("sandbox", &LayersOnWire::sandbox)};
};

}  // namespace supervisor

namespace plugins {
namespace {

constexpr std::array<std::string_view, 5> kLayerNames = {"no_new_privileges", "resource_limits", "namespaces",
                                                         "landlock", "syscall_filter"};
// Of -1000 to 1000: where memory ends, a plugin goes before an engine worker (500) and the server (0).
constexpr int kPluginOomScore = 800;

Error sandbox_error(const std::string& what) {
  return {ErrorCode::kPluginSandboxFailed, what + ": " + std::strerror(errno)};
}

std::string policy_json(const SandboxPolicy& policy) {
  return supervisor::write_json(PolicyOnWire{.package = policy.package_folder,
                                             .data = policy.data_folder,
                                             .read = policy.permissions.read_paths,
                                             .write = policy.permissions.write_paths,
                                             .network = policy.permissions.network,
                                             .memory_bytes = policy.limits.memory_bytes,
                                             .file_size_bytes = policy.limits.file_size_bytes,
                                             .open_files = policy.limits.open_files,
                                             .processes = policy.limits.processes})
      .dump(-1, ' ', false, supervisor::Json::error_handler_t::replace);
}

Result<SandboxPolicy> parse_policy(const std::string& text) {
  const supervisor::Json json = supervisor::Json::parse(text, nullptr, /*allow_exceptions=*/false);
  PolicyOnWire read;
  if (const Status status = supervisor::read_json(json, "policy", read); !status.ok())
    return Error{ErrorCode::kPluginSandboxFailed, "the sandbox policy: " + status.error().message,
                 "a plugin worker is started by the server, not by hand"};
  SandboxPolicy policy;
  policy.package_folder = read.package;
  policy.data_folder = read.data;
  policy.permissions = {read.read, read.write, read.network};
  policy.limits.memory_bytes = read.memory_bytes;
  policy.limits.file_size_bytes = read.file_size_bytes;
  policy.limits.open_files = read.open_files;
  policy.limits.processes = read.processes;
  return policy;
}

std::string report_line(const std::vector<LayerReport>& reports) {
  LayersOnWire line;
  for (const LayerReport& report : reports) {
    line.sandbox.push_back({.layer = std::string(sandbox_layer_name(report.layer)),
                            .active = report.is_active,
                            .reason = report.reason.empty() ? std::nullopt : std::optional(report.reason)});
  }
  return supervisor::write_json(line).dump(-1, ' ', false, supervisor::Json::error_handler_t::replace) + "\n";
}

LayerReport layer_report(SandboxLayer layer, const Status& status) {
  return {layer, status.ok(), status.ok() ? "" : status.error().message};
}

// Whether `attempt` would succeed: it is made in a child, which ends with it.
Status try_in_child(const std::function<Status()>& attempt) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return sandbox_error("cannot try a layer");
  const supervisor::UniqueFd reading(ends[0]);
  supervisor::UniqueFd writing(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return sandbox_error("cannot try a layer");
  if (child == 0) {
    const Status status = attempt();
    const std::string message = status.ok() ? "" : status.error().message;
    const bool is_told = ::write(writing.get(), message.data(), message.size()) >= 0;
    ::_exit(status.ok() && is_told ? 0 : 1);
  }
  writing.reset();
  std::array<char, 1024> message{};
  const ssize_t size = ::read(reading.get(), message.data(), message.size());
  int end = 0;
  while (::waitpid(child, &end, 0) < 0 && errno == EINTR) {
  }
  if (end == 0) return {};
  return Error{ErrorCode::kPluginSandboxFailed,
               size > 0 ? std::string(message.data(), static_cast<size_t>(size)) : "the attempt was killed"};
}

// What the Landlock of this version leaves open.
std::string landlock_gaps(int abi) {
  if (abi < kLandlockNetworkAbi) return "version " + std::to_string(abi) + ": for files only";
  if (abi < kLandlockScopeAbi) return "version " + std::to_string(abi) + ": for files and TCP only";
  return "";
}

LayerReport probe_landlock() {
  const Result<int> abi = landlock_abi();
  if (!abi.ok()) return {SandboxLayer::kLandlock, false, abi.error().message};
  return {SandboxLayer::kLandlock, true, landlock_gaps(*abi)};
}

// From a limit down to `value`, never up.
Status set_limit(decltype(RLIMIT_AS) resource, int64_t value) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  limit.rlim_max = std::min(limit.rlim_max, static_cast<rlim_t>(std::max<int64_t>(value, 0)));
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(resource, &limit) != 0) return sandbox_error("a limit is not taken");
  return {};
}

// One way through all layers, for one process.
class SandboxEntry {
 public:
  SandboxEntry(const SandboxPolicy& policy, std::string program)
      : policy_(policy), program_(std::move(program)), paths_(sandbox_paths(policy)) {}

  // All layers but the limit on memory, under which nothing may be allocated any more.
  Status enter() {
    const pid_t parent = ::getppid();
    std::ofstream("/proc/self/oom_score_adj") << kPluginOomScore;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return sandbox_error("privileges may still be gained");
    reports_.push_back({SandboxLayer::kNoNewPrivileges, true, ""});
    TRY_STATUS(enter_own_namespaces());
    TRY_STATUS(drop_capabilities());
    ::umask(077);
    if (::chdir(policy_.package_folder.c_str()) != 0)
      return sandbox_error("the package folder cannot be entered by the user that plugins run as");
    if (::access(program_.c_str(), X_OK) != 0) return sandbox_error("cannot execute '" + program_ + "'");
    // After every change of user and rights: each takes it back.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)
      return sandbox_error("the server is gone");
    TRY_STATUS(set_limits());
    TRY_STATUS(restrict_files());
    TRY_STATUS(restrict_calls());
    std::sort(reports_.begin(), reports_.end(),
              [](const LayerReport& a, const LayerReport& b) { return a.layer < b.layer; });
    return {};
  }

  const std::vector<LayerReport>& reports() const { return reports_; }

 private:
  Status enter_own_namespaces() {
    const bool network = policy_.permissions.network;
    const Status offered = try_in_child([&] { return enter_namespaces(paths_, network); });
    reports_.push_back(layer_report(SandboxLayer::kNamespaces, offered));
    has_namespaces_ = offered.ok();
    TRY_STATUS(give_data_folder(has_namespaces_ ? user_in_namespaces() : ::geteuid()));
    return has_namespaces_ ? enter_namespaces(paths_, network) : Status();
  }

  // To whom the plugin will be: only root can, and only it needs to.
  Status give_data_folder(uid_t user) const {
    struct stat about{};
    const std::string& folder = policy_.data_folder;
    if (::stat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode))
      return sandbox_error("there is no data folder '" + folder + "'");
    if (::geteuid() != 0 || about.st_uid == user) return {};
    std::error_code failed;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, failed)) {
      if (::lchown(entry.path().c_str(), user, user) != 0) return sandbox_error("cannot give away the data");
    }
    if (::chown(folder.c_str(), user, user) != 0) return sandbox_error("cannot give away the data folder");
    return {};
  }

  Status set_limits() {
    TRY_STATUS(set_limit(RLIMIT_CORE, 0));
    TRY_STATUS(set_limit(RLIMIT_FSIZE, policy_.limits.file_size_bytes));
    TRY_STATUS(set_limit(RLIMIT_NOFILE, policy_.limits.open_files));
    // Elsewhere it would count all of the user's processes, and none of root's.
    if (has_namespaces_) TRY_STATUS(set_limit(RLIMIT_NPROC, policy_.limits.processes));
    reports_.push_back({SandboxLayer::kResourceLimits, true,
                        has_namespaces_ ? "" : "processes are not counted without namespaces"});
    return {};
  }

  Status restrict_files() {
    const Result<int> abi = landlock_abi();
    reports_.push_back(probe_landlock());
    if (!abi.ok()) return {};
    are_signals_scoped_ = *abi >= kLandlockScopeAbi;
    return restrict_by_landlock(paths_, policy_.permissions.network, *abi);
  }

  Status restrict_calls() {
    const Status offered = check_syscall_filter();
    reports_.push_back(layer_report(SandboxLayer::kSyscallFilter, offered));
    if (!offered.ok()) return {};
    return filter_syscalls(
        {.allows_network = policy_.permissions.network, .are_signals_scoped = are_signals_scoped_});
  }

  const SandboxPolicy& policy_;
  std::string program_;
  SandboxPaths paths_;
  std::vector<LayerReport> reports_;
  bool has_namespaces_ = false, are_signals_scoped_ = false;
};

// Signals as a program expects them at its start.
void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

std::string_view sandbox_layer_name(SandboxLayer layer) { return kLayerNames[static_cast<size_t>(layer)]; }

std::vector<LayerReport> probe_sandbox() {
  SandboxPaths paths;
  paths.read_only = {"/usr", "/bin", "/lib", "/lib64"};
  return {
      {SandboxLayer::kNoNewPrivileges, true, ""},
      {SandboxLayer::kResourceLimits, true, ""},
      layer_report(SandboxLayer::kNamespaces,
                   try_in_child([&] { return enter_namespaces(paths, /*allows_network=*/false); })),
      probe_landlock(),
      layer_report(SandboxLayer::kSyscallFilter, check_syscall_filter()),
  };
}

SandboxedCommand sandboxed_command(const SandboxPolicy& policy, const std::vector<std::string>& command) {
  SandboxedCommand made;
  made.arguments = {"llama-gpu", "plugin-worker", policy_json(policy), "--"};
  made.arguments.insert(made.arguments.end(), command.begin(), command.end());
  made.environment = {"PATH=" + std::string(kPluginPath), "LANG=C.UTF-8", "HOME=" + policy.data_folder,
                      "TMPDIR=" + policy.data_folder,
                      "LLAMAGPU_PLUGIN_FD=" + std::to_string(supervisor::kWorkerSocketFd)};
  return made;
}

std::optional<std::vector<LayerReport>> parse_sandbox_line(std::string_view line) {
  if (!line.starts_with("{\"sandbox\":")) return std::nullopt;
  const supervisor::Json json = supervisor::Json::parse(line, nullptr, /*allow_exceptions=*/false);
  LayersOnWire read;
  if (!supervisor::read_json(json, "line", read).ok()) return std::nullopt;
  std::vector<LayerReport> reports;
  for (const LayerOnWire& layer : read.sandbox) {
    const auto name = std::find(kLayerNames.begin(), kLayerNames.end(), layer.layer);
    if (name == kLayerNames.end()) return std::nullopt;
    reports.push_back(
        {static_cast<SandboxLayer>(name - kLayerNames.begin()), layer.active, layer.reason.value_or("")});
  }
  return reports;
}

Status enter_sandbox_and_execute(const std::string& policy_json, const std::vector<std::string>& command) {
  TRY(const SandboxPolicy policy, parse_policy(policy_json));
  if (command.empty()) return Error{ErrorCode::kPluginSandboxFailed, "the plugin has no command"};
  TRY(const std::string program, find_program(policy.package_folder, command[0]));
  SandboxEntry entry(policy, program);
  TRY_STATUS(entry.enter());

  const std::string line = report_line(entry.reports());
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return sandbox_error("nobody reads the log");
  std::vector<std::string> arguments = command;
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  Error failed{ErrorCode::kPluginSandboxFailed, "cannot execute '" + program + "': "};
  failed.message.reserve(failed.message.size() + 128);
  reset_signals();

  TRY_STATUS(set_limit(RLIMIT_AS, policy.limits.memory_bytes));
  ::execv(program.c_str(), pointers.data());
  failed.message += std::strerror(errno);
  return failed;
}

}  // namespace plugins
}  // namespace llama_gpu
