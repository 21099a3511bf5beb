// SPDX-License-Identifier: Apache-2.0
#include "plugins/sandbox.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/temporary_folder_fake.h"
#include "plugins/landlock.h"
#include "supervisor/worker_process.h"

namespace llama_gpu::plugins {
namespace {

using supervisor::ProcessEnd;
using supervisor::WorkerCommand;
using supervisor::WorkerProcess;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::json;

constexpr unsigned kOrdinaryUser = 54321;

void wait_until_readable(int fd) {
  pollfd source{.fd = fd, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&source, 1, 60'000), 1) << "a sandboxed process says nothing";
}

// A process in the sandbox, to its end.
struct FinishedRun {
  ProcessEnd end;
  std::vector<std::string> lines;  // that it wrote
};

FinishedRun finish(WorkerProcess process) {
  std::string text;
  std::array<char, 4096> bytes;
  for (;;) {
    wait_until_readable(process.log_fd());
    const ssize_t got = ::read(process.log_fd(), bytes.data(), bytes.size());
    if (got <= 0) break;
    text.append(bytes.data(), static_cast<size_t>(got));
  }
  wait_until_readable(process.exit_fd());
  FinishedRun run{.end = process.reap().value(), .lines = {}};
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) run.lines.push_back(line);
  return run;
}

// What plugins reach for, and a package and a data folder of one.
class SandboxTest : public testing::Test {
 protected:
  SandboxTest() {
    // Others must be able to pass, as they can on the way to a store of root's.
    ::chmod(folder_.path().c_str(), 0755);
    for (const char* name : {"package", "data", "other", "host", "granted"}) {
      std::filesystem::create_directory(folder_.path(name));
      ::chmod(folder_.path(name).c_str(), 0755);
    }
    write("other/secret");
    write("host/file");
    write("granted/file");
    std::filesystem::copy_file(LLAMAGPU_TESTDATA "/support/sandbox_probe.py",
                               folder_.path("package/sandbox_probe.py"));
    ::chmod(folder_.path("package/sandbox_probe.py").c_str(), 0644);
    policy_.package_folder = folder_.path("package");
    policy_.data_folder = folder_.path("data");
    policy_.limits.memory_bytes = int64_t{256} << 20;
    policy_.limits.file_size_bytes = int64_t{1} << 20;
    policy_.limits.processes = 16;
  }

  void write(const std::string& name, const std::string& text = "x", mode_t mode = 0644) {
    folder_.write(name, text);
    ::chmod(folder_.path(name).c_str(), mode);
  }

  // As llama-gpu would start it, on a machine with `conditions` (see the launcher).
  WorkerProcess start(const std::vector<std::string>& command, const std::string& conditions = "") {
    const SandboxedCommand made = sandboxed_command(policy_, command);
    WorkerCommand worker{.program = LLAMAGPU_SANDBOX_LAUNCHER,
                         .arguments = made.arguments,
                         .environment = made.environment,
                         .leads_group = true};
    worker.arguments[1] = conditions;
    return WorkerProcess::spawn(worker).value();
  }
  FinishedRun run(const std::vector<std::string>& command, const std::string& conditions = "") {
    return finish(start(command, conditions));
  }

  TemporaryFolder folder_;
  SandboxPolicy policy_;
};

// The layers that a report says are active, by name.
std::set<std::string> active_layers(const FinishedRun& run) {
  std::set<std::string> names;
  const auto reports = parse_sandbox_line(run.lines.empty() ? "" : run.lines[0]);
  EXPECT_TRUE(reports.has_value()) << testing::PrintToString(run.lines);
  for (const LayerReport& report : reports.value_or(std::vector<LayerReport>{})) {
    if (report.is_active) {
      names.insert(std::string(sandbox_layer_name(report.layer)));
    } else {
      EXPECT_NE(report.reason, "");
    }
  }
  return names;
}

// A listening socket of the host.
class HostSocket {
 public:
  HostSocket(int family, const sockaddr* address, socklen_t size) : fd_(::socket(family, SOCK_STREAM, 0)) {
    CHECK(::bind(fd_, address, size) == 0 && ::listen(fd_, 8) == 0, "a test cannot listen");
  }
  HostSocket(const HostSocket&) = delete;
  HostSocket& operator=(const HostSocket&) = delete;
  ~HostSocket() { ::close(fd_); }

  int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    CHECK(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "a socket has a name");
    return ntohs(address.sin_port);
  }

 private:
  int fd_;
};

HostSocket listen_tcp() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return {AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

HostSocket listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  return {AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

// Which layers keep a plugin from an act: one of them that is active is enough. "landlock:6" counts where
// this kernel's Landlock is that new.
using Keepers = std::vector<std::string>;
const std::map<std::string, Keepers>& keepers() {
  static const std::map<std::string, Keepers> all = {
      {"read_shadow", {"namespaces", "landlock"}},
      {"read_host_file", {"namespaces", "landlock"}},
      {"read_other_data", {"namespaces", "landlock"}},
      {"list_root_folder", {"namespaces", "landlock"}},
      {"write_host_folder", {"namespaces", "landlock"}},
      {"write_package", {"namespaces", "landlock"}},
      {"write_tmp", {"namespaces", "landlock"}},
      {"read_host_environment", {"namespaces", "landlock"}},
      {"write_what_is_granted_to_read", {"namespaces", "landlock"}},
      {"connect_tcp", {"namespaces", "landlock:4", "syscall_filter"}},
      {"listen_tcp", {"landlock:4", "syscall_filter"}},
      {"send_udp", {"namespaces", "syscall_filter"}},
      {"connect_unix", {"namespaces", "syscall_filter"}},
      {"ptrace_host", {"namespaces", "landlock", "syscall_filter"}},
      {"trace_itself", {"syscall_filter"}},
      {"mount", {"no_new_privileges", "syscall_filter"}},
      {"new_user_namespace", {"syscall_filter"}},
      {"bpf", {"no_new_privileges", "syscall_filter"}},
      {"perf_events", {"syscall_filter"}},
      {"io_uring", {"syscall_filter"}},
      {"add_key", {"syscall_filter"}},
      {"own_session", {"syscall_filter"}},
      {"outlive_host", {"syscall_filter"}},
      {"signal_host", {"landlock:6", "syscall_filter"}},
      {"slow_host_down", {"syscall_filter"}},
      {"limit_host", {"syscall_filter"}},
      {"become_root", {"namespaces", "landlock"}},
      {"raise_limit", {"resource_limits"}},
      {"write_large_file", {"resource_limits"}},
      {"open_many_files", {"resource_limits"}},
      {"fork_many", {"namespaces"}},
      {"map_much_memory", {"resource_limits"}},
  };
  return all;
}

bool is_kept(const Keepers& layers, const std::set<std::string>& active) {
  for (const std::string& layer : layers) {
    const size_t colon = layer.find(':');
    if (!active.contains(layer.substr(0, colon))) continue;
    if (colon == std::string::npos || landlock_abi().value() >= std::stoi(layer.substr(colon + 1)))
      return true;
  }
  return false;
}

// What the machine is like, and which layers it must offer all the same.
struct Machine {
  std::string name;
  std::string conditions;
  std::set<std::string> lacks;
  friend void PrintTo(const Machine& machine, std::ostream* out) { *out << machine.name; }
};

class SandboxOnMachines : public SandboxTest, public testing::WithParamInterface<Machine> {
 protected:
  // What the probe did, on this machine.
  FinishedRun probe() {
    policy_.permissions = {{folder_.path("granted/file")}, {folder_.path("granted_out")}, false};
    std::filesystem::create_directory(folder_.path("granted_out"));
    ::chmod(folder_.path("granted_out").c_str(), 0777);
    const HostSocket tcp = listen_tcp();
    const HostSocket unix_socket = listen_unix(folder_.path("host/socket"));
    ::chmod(folder_.path("host/socket").c_str(), 0777);
    const Json facts = {{"host_file", folder_.path("host/file")},
                        {"host_folder", folder_.path("host")},
                        {"other_data", folder_.path("other")},
                        {"granted_read", folder_.path("granted/file")},
                        {"granted_write", folder_.path("granted_out")},
                        {"unix_socket", folder_.path("host/socket")},
                        {"tcp_port", tcp.port()},
                        {"memory_bytes", policy_.limits.memory_bytes},
                        {"file_size_bytes", policy_.limits.file_size_bytes},
                        {"open_files", policy_.limits.open_files},
                        {"processes", policy_.limits.processes}};
    return run({"python3", "sandbox_probe.py", facts.dump()}, conditions());
  }

 private:
  // Those of the machine. An ordinary user runs tests as itself already; root gives the user all that is to
  // be reached for, so that acts fail by the sandbox alone.
  std::string conditions() const {
    const std::string& all = GetParam().conditions;
    if (!all.starts_with("user=")) return all;
    if (::geteuid() != 0) return all.find(',') == std::string::npos ? "" : all.substr(all.find(',') + 1);
    for (const char* name : {"data", "other", "other/secret", "host", "host/file", "package", "granted/file"})
      EXPECT_EQ(::chown(folder_.path(name).c_str(), kOrdinaryUser, kOrdinaryUser), 0);
    return all;
  }
};

TEST_P(SandboxOnMachines, KeepsAPluginFromWhatItMustNotDo) {
  const FinishedRun run = probe();
  ASSERT_EQ(run.end.exit_code, 0) << testing::PrintToString(run.lines);
  const std::set<std::string> active = active_layers(run);
  const Json said = Json::parse(run.lines.back());

  std::set<std::string> offered;
  for (const LayerReport& report : probe_sandbox()) {
    const std::string name(sandbox_layer_name(report.layer));
    if (!report.is_active) {
      std::cerr << "this machine has no " << name << " (" << report.reason << "): not tested here\n";
    } else if (!GetParam().lacks.contains(name)) {
      offered.insert(name);
    }
  }
  EXPECT_EQ(active, offered);

  for (const auto& [act, layers] : keepers()) {
    ASSERT_TRUE(said["forbidden"].contains(act)) << act;
    if (is_kept(layers, active)) {
      EXPECT_NE(said["forbidden"][act], "") << act << " was not prevented";
    } else {
      std::cerr << act << " is not prevented without " << testing::PrintToString(layers) << '\n';
    }
  }
  EXPECT_EQ(said["forbidden"].size(), keepers().size());
}

TEST_P(SandboxOnMachines, LetsAPluginDoItsWork) {
  const FinishedRun run = probe();
  ASSERT_EQ(run.end.exit_code, 0) << testing::PrintToString(run.lines);
  const Json said = Json::parse(run.lines.back());

  // Without Landlock's scopes, signals go to the whole group only.
  const bool are_signals_scoped =
      active_layers(run).contains("landlock") && *landlock_abi() >= kLandlockScopeAbi;
  for (const auto& [act, outcome] : said["allowed"].items()) {
    if (act == "stop_child" && !are_signals_scoped) continue;
    EXPECT_EQ(outcome, "") << act;
  }
  EXPECT_THAT(said["environment"].get<std::vector<std::string>>(),
              testing::IsSupersetOf({"HOME", "LANG", "LLAMAGPU_PLUGIN_FD", "PATH", "TMPDIR"}));
  // LC_CTYPE is Python's own doing.
  EXPECT_LE(said["environment"].size(), 6U);
  EXPECT_THAT(said["open"].get<std::vector<int>>(), ElementsAre(0, 1, 2, 3));
}

INSTANTIATE_TEST_SUITE_P(
    Sandbox, SandboxOnMachines,
    testing::Values(
        Machine{"OfThisUser", "", {}}, Machine{"OfAnOrdinaryUser", "user=54321", {}},
        Machine{"WithoutNamespaces", "unshare", {"namespaces"}},
        Machine{"OfAnOrdinaryUserWithoutNamespaces", "user=54321,unshare", {"namespaces"}},
        Machine{"WithoutLandlock", "landlock_create_ruleset", {"landlock"}},
        Machine{"OfAnOrdinaryUserWithoutLandlock", "user=54321,landlock_create_ruleset", {"landlock"}},
        Machine{"WithoutSeccomp", "seccomp", {"syscall_filter"}},
        Machine{"OfAnOrdinaryUserWithoutSeccomp", "user=54321,seccomp", {"syscall_filter"}}),
    [](const auto& info) { return info.param.name; });

TEST_F(SandboxTest, LetsAPluginWithThePermissionReachTheNetwork) {
  policy_.permissions.network = true;
  write("package/connect.py",
        "import socket, sys\n"
        "socket.getaddrinfo('localhost', 80)\n"
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=5): print('in', "
        "file=sys.stderr)\n"
        "try: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
        "except OSError as error: print(error.errno, file=sys.stderr)\n");
  const HostSocket tcp = listen_tcp();

  const FinishedRun run = this->run({"python3", "connect.py", std::to_string(tcp.port())});

  ASSERT_EQ(run.lines.size(), 3U) << testing::PrintToString(run.lines);
  EXPECT_EQ(run.lines[1], "in");
  EXPECT_EQ(run.lines[2], "1");
}

TEST_F(SandboxTest, RunsAProgramOfThePackage) {
  write("package/run.sh", "#!/bin/sh\npwd >&2\necho \"$1\" >&2\necho $HOME >&2\nexit 7\n", 0755);
  const FinishedRun run = this->run({"run.sh", "--a b"});
  EXPECT_EQ(run.end.exit_code, 7);
  ASSERT_EQ(run.lines.size(), 4U) << testing::PrintToString(run.lines);
  EXPECT_EQ(run.lines[1], policy_.package_folder);
  EXPECT_EQ(run.lines[2], "--a b");
  EXPECT_EQ(run.lines[3], policy_.data_folder);
}

TEST_F(SandboxTest, SaysWhyAPluginCannotStart) {
  EXPECT_THAT(run({"no-such-program"}).lines, Contains(HasSubstr("there is no program 'no-such-program'")));
  EXPECT_THAT(run({"../package/nothing"}).lines, Contains(HasSubstr("there is no program")));
  EXPECT_THAT(run({}).lines, Contains(HasSubstr("no command")));
  write("package/no.sh", "#!/bin/sh\n");
  EXPECT_THAT(run({"no.sh"}).lines, Contains(HasSubstr("cannot execute")));
  write("package/odd", "no program\n", 0755);
  EXPECT_THAT(run({"odd"}).lines, Contains(HasSubstr("Exec format error")));
  policy_.permissions.read_paths = {"/"};
  EXPECT_THAT(run({"true"}).lines.front(), HasSubstr("'/' cannot be granted"));
  policy_.permissions.read_paths = {};
  policy_.data_folder = folder_.path("nowhere");
  const FinishedRun without_data = run({"true"});
  EXPECT_THAT(without_data.lines, Contains(HasSubstr("there is no data folder")));
  EXPECT_EQ(without_data.end.exit_code, 71);
}

TEST_F(SandboxTest, RefusesAPolicyThatCannotBeRead) {
  for (const char* policy : {"", "{", "[]", R"({"package": 1})", R"({"package": "/a", "data": "/b"})"}) {
    const Status status = enter_sandbox_and_execute(policy, {"true"});
    EXPECT_EQ(status.error().code, ErrorCode::kPluginSandboxFailed) << policy;
    EXPECT_THAT(status.error().message, StartsWith("the sandbox policy"));
  }
}

TEST_F(SandboxTest, FollowsTheLinksOfWhatIsGranted) {
  std::filesystem::create_symlink("file", folder_.path("granted/link"));
  std::filesystem::create_directory_symlink(folder_.path("granted"), folder_.path("way"));
  std::filesystem::create_symlink("circle", folder_.path("circle"));
  policy_.permissions.read_paths = {folder_.path("way/link"), folder_.path("circle"),
                                    folder_.path("missing")};

  EXPECT_EQ(run({"cat", folder_.path("way/link")}).end.exit_code, 0);
  EXPECT_NE(run({"cat", folder_.path("host/file")}).end.exit_code, 0);
}

TEST_F(SandboxTest, GivesRootsDataToThePlugin) {
  write("data/kept", "x", 0600);
  const FinishedRun run = this->run({"cat", policy_.data_folder + "/kept"});
  EXPECT_EQ(run.end.exit_code, 0);
  // And back, where the machine does not offer another user any more.
  EXPECT_EQ(this->run({"cat", policy_.data_folder + "/kept"}, "unshare").end.exit_code, 0);
}

TEST_F(SandboxTest, EndsWithItsHost) {
  std::array<int, 2> pid_pipe;
  ASSERT_EQ(::pipe(pid_pipe.data()), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    const WorkerProcess process = start({"sleep", "1000"});
    wait_until_readable(process.log_fd());  // it is in the sandbox
    const pid_t pid = process.pid();
    (void)!::write(pid_pipe[1], &pid, sizeof pid);
    ::raise(SIGKILL);
  }
  pid_t plugin = 0;
  ASSERT_EQ(::read(pid_pipe[0], &plugin, sizeof plugin), static_cast<ssize_t>(sizeof plugin));
  ::waitpid(host, nullptr, 0);
  // Nobody of ours reaps it; a process that has ended is gone or a zombie.
  const std::string stat = "/proc/" + std::to_string(plugin) + "/stat";
  for (int tries = 0; tries < 20'000; ++tries) {
    const Result<std::string> text = read_file(stat, 4096);
    if (!text.ok() || text->find(") Z ") != std::string::npos) break;
    ::usleep(1'000);
  }
  const Result<std::string> text = read_file(stat, 4096);
  EXPECT_TRUE(!text.ok() || text->find(") Z ") != std::string::npos) << *text;
  ::close(pid_pipe[0]);
  ::close(pid_pipe[1]);
}

TEST(Sandbox, ReadsReportsAndNothingElse) {
  EXPECT_THAT(*parse_sandbox_line(R"({"sandbox":[{"layer":"landlock","active":true,"reason":"r"},)"
                                  R"({"layer":"namespaces","active":false}]})"),
              ElementsAre(LayerReport{SandboxLayer::kLandlock, true, "r"},
                          LayerReport{SandboxLayer::kNamespaces, false, ""}));
  for (const char* line : {"", "hello", R"({"sandbox":)", R"({"sandbox":[{"layer":"landlock"}]})",
                           R"({"sandbox":[{"layer":"moat","active":true}]})"}) {
    EXPECT_EQ(parse_sandbox_line(line), std::nullopt) << line;
  }
}

TEST(Sandbox, ProbesEveryLayerWithoutChangingThisProcess) {
  const auto reports = probe_sandbox();
  ASSERT_EQ(reports.size(), 5U);
  for (size_t i = 0; i < reports.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(reports[i].layer), i);
    EXPECT_TRUE(reports[i].is_active || !reports[i].reason.empty());
  }
  EXPECT_TRUE(std::filesystem::exists("/proc/self/status"));
}

TEST(Sandbox, StartsAPluginWithAnEnvironmentThatIsAlmostEmpty) {
  SandboxPolicy policy;
  policy.package_folder = "/p";
  policy.data_folder = "/d";
  const SandboxedCommand made = sandboxed_command(policy, {"python3", "x.py"});
  ASSERT_EQ(made.arguments.size(), 6U);
  EXPECT_EQ(made.arguments[1], "plugin-worker");
  EXPECT_EQ(Json::parse(made.arguments[2])["data"], "/d");
  EXPECT_EQ(made.arguments[3], "--");
  EXPECT_THAT(made.environment, ElementsAre(StartsWith("PATH="), "LANG=C.UTF-8", "HOME=/d", "TMPDIR=/d",
                                            "LLAMAGPU_PLUGIN_FD=3"));
}

}  // namespace
}  // namespace llama_gpu::plugins
