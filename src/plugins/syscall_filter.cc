// SPDX-License-Identifier: Apache-2.0
#include "plugins/syscall_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace llama_gpu::plugins {
namespace {

constexpr uint32_t kDeny = SCMP_ACT_ERRNO(EPERM);

// Other processes, the machine, new mounts and namespaces, and parts of the kernel with a long history of
// holes: by name, as not every machine and every libseccomp has all of them.
constexpr const char* kForbidden[] = {
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp",
    "pidfd_getfd", "pidfd_open", "migrate_pages", "move_pages",
    // a group and a session of its own, in which it would outlive its end
    "setsid", "setpgid",
    // mounts, namespaces, roots
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "unshare", "setns",
    // kernel and machine
    "bpf", "perf_event_open", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "init_module",
    "finit_module", "delete_module", "create_module", "acct", "quotactl", "quotactl_fd", "settimeofday",
    "clock_settime", "clock_settime64", "stime", "adjtimex", "clock_adjtime", "clock_adjtime64",
    "sethostname", "setdomainname", "iopl", "ioperm", "syslog", "vhangup", "personality", "modify_ldt",
    "uselib", "ustat", "sysfs", "_sysctl", "lookup_dcookie", "nfsservctl",
    // keys of the user, and handles that go around paths
    "keyctl", "add_key", "request_key", "name_to_handle_at", "open_by_handle_at", "fanotify_init",
    // ways around this filter and the limits: a ring that makes calls, page faults that wait, memory that is
    // kept without being mapped
    "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "memfd_create", "memfd_secret",
    "shmget", "shmat", "shmctl", "semget", "msgget", "mq_open"};

// Calls that take a process, and which of their arguments it is: only the caller itself, 0.
struct OfProcess {
  const char* name;
  unsigned argument;
};
constexpr OfProcess kOnItselfOnly[] = {{"prlimit64", 0},         {"setpriority", 1},    {"ioprio_set", 1},
                                       {"sched_setaffinity", 0}, {"sched_setparam", 0}, {"sched_setattr", 0},
                                       {"sched_setscheduler", 0}};

constexpr uint64_t kIoPriorityOfProcess = 1;  // IOPRIO_WHO_PROCESS

// Signals, whose first argument is their target; pidfd_send_signal needs pidfd_open, which is forbidden.
constexpr uint32_t kSignals[] = {SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo};

constexpr uint64_t kNamespaceFlags[] = {CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET,
                                        CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};

// The families that a plugin with network gets sockets of.
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
constexpr int kFamilyBound = 64;  // above all that there are

// Typing into the terminal that the server was started from.
constexpr uint64_t kTypeIntoTerminal[] = {0x5412 /* TIOCSTI */, 0x541C /* TIOCLINUX */};

// Arguments of 32 bits are compared as such: the kernel ignores what a caller writes above them.
scmp_arg_cmp equals32(unsigned argument, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, 0xffffffffU, value};
}

// A filter that is filled; keeps the first error.
class SyscallFilter {
 public:
  SyscallFilter() : filter_(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release) {
    if (!filter_) failed_ = -ENOMEM;
  }

  // Where the one condition holds, if there is one.
  void deny(const char* name, uint32_t action, std::span<const scmp_arg_cmp> condition = {}) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || failed_ != 0) return;  // unknown here: nothing to deny
    const int added = ::seccomp_rule_add_array(filter_.get(), action, number,
                                               static_cast<unsigned>(condition.size()), condition.data());
    // A call that this kind of machine does not have.
    if (added != 0 && added != -EDOM && added != -EFAULT) failed_ = added;
  }
  void deny(const char* name, scmp_arg_cmp condition) { deny(name, kDeny, {&condition, 1}); }

  Status load() {
    if (failed_ == 0) failed_ = ::seccomp_load(filter_.get());
    if (failed_ == 0) return {};
    return Error{ErrorCode::kPluginSandboxFailed,
                 std::string("the filter of system calls is not taken: ") + std::strerror(-failed_)};
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter_;
  int failed_ = 0;
};

void deny_sockets(SyscallFilter& filter, bool allows_network) {
  // Sockets of files, too: nothing else holds a plugin back from another service's where it sees its file.
  if (!allows_network) return filter.deny("socket", kDeny);
  for (int family = 0; family < kFamilyBound; ++family) {
    const bool is_allowed =
        std::find(std::begin(kFamilies), std::end(kFamilies), family) != std::end(kFamilies);
    if (!is_allowed) filter.deny("socket", equals32(0, static_cast<uint64_t>(family)));
  }
}

// Only to itself and its group, which it cannot leave; a process that it starts can be signalled by nobody
// but as part of that group. A filter of its own: it takes three comparisons of one argument.
Status deny_signals() {
  constexpr uint32_t kNumberAt = offsetof(seccomp_data, nr), kTargetAt = offsetof(seccomp_data, args);
  const uint32_t targets[] = {static_cast<uint32_t>(::getpid()), 0, static_cast<uint32_t>(-::getpgrp())};
  std::vector<sock_filter> code;
  // Where what was loaded is one of `values`, goes on behind the instruction that follows the comparisons.
  const auto skip_next_for = [&](std::span<const uint32_t> values) {
    for (size_t left = values.size(); left > 0; --left) {
      const uint32_t value = values[values.size() - left];
      code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, static_cast<uint8_t>(left), 0));
    }
  };

  code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumberAt));
  skip_next_for(kSignals);
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kTargetAt));  // the lower half, on little-endian machines
  skip_next_for(targets);
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));

  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return {};
  return Error{ErrorCode::kPluginSandboxFailed,
               std::string("the filter of signals is not taken: ") + std::strerror(errno)};
}

}  // namespace

Status check_syscall_filter() {
  const uint32_t action = SECCOMP_RET_ERRNO;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return {};
  return Error{ErrorCode::kPluginSandboxFailed,
               std::string("the kernel cannot filter system calls: ") + std::strerror(errno)};
}

Status filter_syscalls(const SyscallPolicy& policy) {
  SyscallFilter filter;
  for (const char* name : kForbidden) filter.deny(name, kDeny);
  for (const OfProcess& call : kOnItselfOnly)
    filter.deny(call.name, scmp_arg_cmp{call.argument, SCMP_CMP_NE, 0, 0});
  // Not a group or a user either, whose number 0 is the caller's own.
  filter.deny("setpriority", scmp_arg_cmp{0, SCMP_CMP_NE, PRIO_PROCESS, 0});
  filter.deny("ioprio_set", scmp_arg_cmp{0, SCMP_CMP_NE, kIoPriorityOfProcess, 0});
  for (const uint64_t flag : kNamespaceFlags)
    filter.deny("clone", scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, flag, flag});
  // Its flags lie in memory, where no filter sees them: without it, libraries use clone().
  filter.deny("clone3", SCMP_ACT_ERRNO(ENOSYS));
  for (const uint64_t request : kTypeIntoTerminal) filter.deny("ioctl", equals32(1, request));
  // It ends with its host, whatever it thinks of that.
  filter.deny("prctl", equals32(0, PR_SET_PDEATHSIG));
  deny_sockets(filter, policy.allows_network);
  if (!policy.are_signals_scoped) TRY_STATUS(deny_signals());
  return filter.load();
}

}  // namespace llama_gpu::plugins
