// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/failpoint.h"
#include "support/scratch_file.h"

namespace llama_gpu::supervisor {
namespace {

using testing::HasSubstr;

WorkerCommand shell(const std::string& script) {
  return {.program = "/bin/sh", .arguments = {"sh", "-c", script}};
}

WorkerProcess spawn(const std::string& script) { return WorkerProcess::spawn(shell(script)).value(); }

void wait_until_readable(int fd) {
  pollfd source{.fd = fd, .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&source, 1, 20'000), 1);
}

ProcessEnd wait_for_end(WorkerProcess& process) {
  wait_until_readable(process.exit_fd());
  return process.reap().value();
}

// All that it writes on stderr until it ends.
std::string read_log(WorkerProcess& process) {
  std::string text;
  std::array<char, 4096> bytes;
  for (;;) {
    wait_until_readable(process.log_fd());
    const ssize_t got = ::read(process.log_fd(), bytes.data(), bytes.size());
    if (got <= 0) return text;
    text.append(bytes.data(), static_cast<size_t>(got));
  }
}

size_t num_entries(const std::filesystem::path& path) {
  const std::filesystem::directory_iterator folder(path);
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

size_t num_open_fds() { return num_entries("/proc/self/fd"); }

TEST(WorkerProcess, TellsHowItEnded) {
  WorkerProcess exited = spawn("exit 3");
  WorkerProcess killed = spawn("kill -SEGV $$");

  EXPECT_EQ(wait_for_end(exited).exit_code, 3);
  EXPECT_EQ(exited.reap(), std::nullopt);
  exited.send_signal(SIGKILL);  // does nothing any more
  EXPECT_EQ(wait_for_end(killed).signal, SIGSEGV);
}

TEST(WorkerProcess, IsNotReapedWhileItRuns) {
  WorkerProcess process = spawn("read line <&3");
  EXPECT_EQ(process.reap(), std::nullopt);
  EXPECT_GT(process.pid(), 0);

  ASSERT_EQ(::send(process.socket_fd(), "go\n", 3, 0), 3);

  EXPECT_EQ(wait_for_end(process).exit_code, 0);
}

TEST(WorkerProcess, InheritsItsSocketItsLogAndNothingElse) {
  const UniqueFd leaky(::open("/dev/null", 0));  // not closed on exec
  WorkerProcess process =
      WorkerProcess::spawn({.program = "/bin/sleep", .arguments = {"sleep", "1000"}}).value();
  const std::filesystem::path folder = "/proc/" + std::to_string(process.pid()) + "/fd";

  // Until its loader has closed the libraries.
  while (num_entries(folder) != 4) ::usleep(1'000);

  EXPECT_EQ(std::filesystem::read_symlink(folder / "0"), "/dev/null");
  EXPECT_EQ(std::filesystem::read_symlink(folder / "1"), "/dev/null");
  EXPECT_THAT(std::filesystem::read_symlink(folder / "2").string(), testing::StartsWith("pipe:"));
  EXPECT_THAT(std::filesystem::read_symlink(folder / "3").string(), testing::StartsWith("socket:"));
}

TEST(WorkerProcess, SeesSettingsButNoSecrets) {
  const std::pair<const char*, const char*> variables[] = {{"LLAMAGPU_API_KEY", "hunter2"},
                                                           {"OTHERS_ACCESS_TOKEN", "hunter3"},
                                                           {"LLAMAGPU_FORCE_ISA", "scalar"},
                                                           {"LLAMAGPU_ENGINE__KV_TOKENS", "4096"}};
  for (const auto& [name, value] : variables) ::setenv(name, value, 1);
  WorkerCommand command = shell("env >&2");
  command.secret_variables = {"LLAMAGPU_API_KEY"};
  WorkerProcess process = WorkerProcess::spawn(command).value();
  const std::string log = read_log(process);
  for (const auto& [name, value] : variables) ::unsetenv(name);

  EXPECT_THAT(log, Not(HasSubstr("hunter")));
  EXPECT_THAT(log, HasSubstr("LLAMAGPU_FORCE_ISA=scalar"));
  EXPECT_THAT(log, HasSubstr("LLAMAGPU_ENGINE__KV_TOKENS=4096"));
}

TEST(WorkerProcess, SeesExactlyTheEnvironmentThatItIsGiven) {
  ::setenv("LLAMAGPU_FORCE_ISA", "scalar", 1);
  // What the shell adds by itself is taken away again.
  WorkerCommand command = shell("env -u PWD -u SHLVL -u _ -u OLDPWD >&2");
  command.environment = {"LANG=C.UTF-8", "A_KEY=kept"};
  WorkerProcess given = WorkerProcess::spawn(command).value();
  command.environment = std::vector<std::string>{};
  WorkerProcess empty = WorkerProcess::spawn(command).value();

  EXPECT_EQ(read_log(given), "LANG=C.UTF-8\nA_KEY=kept\n");
  EXPECT_EQ(read_log(empty), "");
  ::unsetenv("LLAMAGPU_FORCE_ISA");
}

TEST(WorkerProcess, StartsWithNoSignalBlockedOrIgnored) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  ::signal(SIGUSR1, SIG_IGN);
  WorkerProcess process = spawn("kill -USR1 $$");
  ::signal(SIGUSR1, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  EXPECT_EQ(wait_for_end(process).signal, SIGUSR1);
}

TEST(WorkerProcess, IsGoneWithItsOwnerAndLeavesNoDescriptor) {
  const size_t before = num_open_fds();
  pid_t pid = 0;
  {
    WorkerProcess process = spawn("sleep 1000");
    pid = process.pid();
    const WorkerProcess moved = std::move(process);
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(num_open_fds(), before);
}

// Until all that hold the other end are gone.
void wait_until_closed(int fd) {
  char byte = 0;
  do {
    wait_until_readable(fd);
  } while (::read(fd, &byte, 1) > 0);
}

TEST(WorkerProcess, TakesItsChildrenWithItWhereItLeadsAGroup) {
  WorkerCommand command = shell("sleep 1000 & exit 3");
  command.leads_group = true;
  WorkerProcess ended = WorkerProcess::spawn(command).value();
  EXPECT_EQ(wait_for_end(ended).exit_code, 3);
  wait_until_closed(ended.log_fd());

  command.arguments.back() = "sleep 1000 & sleep 1000";
  WorkerProcess killed = WorkerProcess::spawn(command).value();
  EXPECT_EQ(::getpgid(killed.pid()), killed.pid());
  killed.send_signal(SIGKILL);
  EXPECT_EQ(wait_for_end(killed).signal, SIGKILL);
  wait_until_closed(killed.log_fd());
}

TEST(WorkerProcess, ShowsThatItIsStopped) {
  WorkerProcess process = spawn("kill -STOP $$");
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process.pid()), &info, WSTOPPED | WNOWAIT), 0);

  EXPECT_EQ(process.state_letter(), 'T');
  process.send_signal(SIGKILL);
  EXPECT_EQ(wait_for_end(process).signal, SIGKILL);
  EXPECT_EQ(process.state_letter(), '?');
}

TEST(WorkerProcess, IsRefusedWhereTheProgramIsMissingOrTheSystemIsFull) {
  EXPECT_EQ(WorkerProcess::spawn({.program = "/no/such/program", .arguments = {"x"}}).error().code,
            ErrorCode::kIoFailed);
  const ScopedFailpoints full("worker.spawn=error:io_failed");
  EXPECT_EQ(WorkerProcess::spawn(shell("exit 0")).error().code, ErrorCode::kIoFailed);
}

TEST(WorkerProcess, ReadsHowOftenTheSystemKilledForMemory) {
  const test_support::ScratchFile file;
  const std::string path = file.path();
  std::ofstream(path) << "nr_free_pages 12\noom_kill 7\nlast 1\n";
  EXPECT_EQ(count_oom_kills(path), 7U);
  std::ofstream(path) << "nr_free_pages 12\n";
  EXPECT_EQ(count_oom_kills(path), 0U);
  EXPECT_EQ(count_oom_kills("/no/such/file"), 0U);
}

}  // namespace
}  // namespace llama_gpu::supervisor
