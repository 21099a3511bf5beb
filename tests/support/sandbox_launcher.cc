// SPDX-License-Identifier: Apache-2.0
// Enters the sandbox and becomes a plugin: sandbox_launcher CONDITIONS POLICY -- COMMAND...
//
// CONDITIONS, joined by commas, make the machine worse first: `user=ID` is another user, any other word is a
// system call that this kernel does not have.
#include <grp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "plugins/sandbox.h"

namespace {

using namespace llama_gpu;

void become_user(unsigned id) {
  CHECK(::setgroups(0, nullptr) == 0 && ::setresgid(id, id, id) == 0 && ::setresuid(id, id, id) == 0,
        "root starts tests that ask for a user");
  CHECK(::prctl(PR_SET_DUMPABLE, 1) == 0, "a process owns itself");
}

// As on a kernel without it; a policy of the machine would say EPERM.
void take_away(const std::string& name) {
  const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  CHECK(filter != nullptr, "filters take little memory");
  ::seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
  CHECK(::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), ::seccomp_syscall_resolve_name(name.c_str()), 0) ==
            0,
        "the call has a name that is known");
  CHECK(::seccomp_load(filter) == 0, "the kernel takes filters");
  ::seccomp_release(filter);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  CHECK(arguments.size() > 3, "started as by sandboxed_command()");
  for (const std::string_view condition : split(arguments[1], ',')) {
    const auto [name, value] = split_once(condition, '=');
    if (name == "user") {
      become_user(static_cast<unsigned>(parse_integer(value).value()));
    } else if (!name.empty()) {
      take_away(std::string(name));
    }
  }
  const Status status =
      plugins::enter_sandbox_and_execute(arguments[2], {arguments.begin() + 4, arguments.end()});
  std::fprintf(stderr, "%s: %s\n", std::string(error_code_info(status.error().code).name).c_str(),
               status.error().message.c_str());
  // Nothing more of this process: what a sanitizer does at the end, the sandbox forbids.
  ::_exit(71);
}
