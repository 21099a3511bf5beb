// SPDX-License-Identifier: Apache-2.0
#include "plugins/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "supervisor/unique_fd.h"

namespace llama_gpu::plugins {
namespace {

// The kernel's interface, written down here: the headers of a build machine may be older than the kernel that
// the program meets (https://docs.kernel.org/userspace-api/landlock.html).
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr uint32_t kVersionFlag = 1;
constexpr int kRulePathBeneath = 1;

constexpr uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadFolder = 1 << 3;
constexpr uint64_t kMakeDevices = (1 << 6) | (1 << 11);  // character and block
constexpr uint64_t kAllOfAbi1 = (1 << 13) - 1;
constexpr uint64_t kRefer = 1 << 13, kTruncate = 1 << 14, kDeviceControl = 1 << 15;
constexpr uint64_t kTcp = 3;     // bind and connect
constexpr uint64_t kScopes = 3;  // abstract sockets and signals
constexpr uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceControl;

struct RulesetAttributes {
  uint64_t file_rights, tcp_rights, scopes;
};
struct [[gnu::packed]] PathAttributes {
  uint64_t rights;
  int32_t parent_fd;
};

Error landlock_error(const std::string& what) {
  return {ErrorCode::kPluginSandboxFailed, "Landlock: " + what + ": " + std::strerror(errno)};
}

uint64_t file_rights(int abi) {
  uint64_t rights = kAllOfAbi1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kDeviceControl;
  return rights;
}

// A rule set that is filled until it is put into force.
class Ruleset {
 public:
  static Result<Ruleset> make(bool allows_network, int abi) {
    Ruleset made;
    made.handled_ = file_rights(abi);
    const RulesetAttributes attributes{.file_rights = made.handled_,
                                       .tcp_rights = abi >= kLandlockNetworkAbi && !allows_network ? kTcp : 0,
                                       .scopes = abi >= kLandlockScopeAbi ? kScopes : 0};
    // An older kernel knows only the first members, and takes the others where they are zero.
    made.fd_ =
        supervisor::UniqueFd(static_cast<int>(::syscall(kCreateRuleset, &attributes, sizeof attributes, 0)));
    if (made.fd_.get() < 0) return landlock_error("the rules cannot be made");
    return made;
  }

  Status allow(const std::string& path, uint64_t rights) {
    const supervisor::UniqueFd target(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat about{};
    if (target.get() < 0 || ::fstat(target.get(), &about) != 0) return {};  // nothing to be seen there
    if (!S_ISDIR(about.st_mode)) rights &= kOfFiles;
    const PathAttributes attributes{.rights = rights & handled_, .parent_fd = target.get()};
    if (::syscall(kAddRule, fd_.get(), kRulePathBeneath, &attributes, 0) != 0)
      return landlock_error("no rule can be made for '" + path + "'");
    return {};
  }

  Status enforce() {
    if (::syscall(kRestrictSelf, fd_.get(), 0) != 0) return landlock_error("the rules are not taken");
    return {};
  }

 private:
  supervisor::UniqueFd fd_;
  uint64_t handled_ = 0;
};

}  // namespace

Result<int> landlock_abi() {
  const long abi = ::syscall(kCreateRuleset, nullptr, 0, kVersionFlag);
  if (abi > 0) return static_cast<int>(abi);
  return Error{ErrorCode::kPluginSandboxFailed,
               errno == EOPNOTSUPP ? "the kernel was started without Landlock"
                                   : std::string("the kernel has no Landlock: ") + std::strerror(errno)};
}

Status restrict_by_landlock(const SandboxPaths& paths, bool allows_network, int abi) {
  TRY(Ruleset rules, Ruleset::make(allows_network, abi));
  for (const std::string& path : paths.read_only)
    TRY_STATUS(rules.allow(path, kExecute | kReadFile | kReadFolder));
  for (const std::string& path : paths.read_write)
    TRY_STATUS(rules.allow(path, file_rights(abi) & ~(kExecute | kMakeDevices | kDeviceControl)));
  for (const std::string& path : paths.devices) TRY_STATUS(rules.allow(path, kReadFile | kWriteFile));
  return rules.enforce();
}

}  // namespace llama_gpu::plugins
