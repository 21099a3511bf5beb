// SPDX-License-Identifier: Apache-2.0
#include "plugins/namespaces.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "supervisor/unique_fd.h"

namespace llama_gpu::plugins {
namespace {

namespace fs = std::filesystem;

// Where the new root is built: a folder that is there on every system, and that no plugin is shown.
constexpr std::string_view kBuildPlace = "/proc";
constexpr int kMaxLinks = 40;

Error namespace_error(const std::string& what) {
  return {ErrorCode::kPluginSandboxFailed, "namespaces: " + what + ": " + std::strerror(errno)};
}

Status in_namespaces(bool is_done, const std::string& what) {
  if (!is_done) return namespace_error(what);
  return {};
}

// Writes a small file of /proc/self, whose folder was opened before the process changed.
Status write_own(int proc_self, const char* name, const std::string& text) {
  const supervisor::UniqueFd file(::openat(proc_self, name, O_WRONLY | O_CLOEXEC));
  const auto size = static_cast<ssize_t>(text.size());
  return in_namespaces(file.get() >= 0 && ::write(file.get(), text.data(), text.size()) == size,
                       std::string("cannot write ") + name);
}

// Has this user, and only it, be itself in its new user namespace.
Status map_user(int proc_self, uid_t user, gid_t group) {
  const auto line = [](unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
  TRY_STATUS(write_own(proc_self, "setgroups", "deny"));
  TRY_STATUS(write_own(proc_self, "gid_map", line(group)));
  return write_own(proc_self, "uid_map", line(user));
}

// The root of the sandbox while it is built under kBuildPlace.
class NewRoot {
 public:
  // Shows `path` in it, and what its links lead to.
  Status show(const std::string& path, uint64_t attributes) {
    fs::path pending = fs::path(path).lexically_normal();
    if (pending == "/" || !pending.is_absolute())
      return Error{ErrorCode::kPluginSandboxFailed, "'" + path + "' cannot be granted: name a folder in it"};
    for (int links = 0; links < kMaxLinks; ++links) {
      TRY(const std::optional<fs::path> led_to, follow_first_link(pending));
      if (!led_to) return bind(pending, attributes);
      pending = *led_to;
    }
    return {};  // a circle of links: nothing to show
  }

 private:
  static fs::path place_of(const fs::path& path) { return kBuildPlace / path.relative_path(); }

  // Repeats the first link on the way to `path`; the way as it goes on from there, or nullopt without links.
  static Result<std::optional<fs::path>> follow_first_link(const fs::path& path) {
    fs::path so_far = "/";
    const fs::path parts = path.relative_path();
    for (auto part = parts.begin(); part != parts.end(); ++part) {
      so_far /= *part;
      std::error_code failed;
      const fs::path target = fs::read_symlink(so_far, failed);
      if (failed) continue;  // no link
      TRY_STATUS(make_parents(so_far));
      fs::create_symlink(target, place_of(so_far), failed);  // fails where it is there
      fs::path onward = target.is_absolute() ? target : so_far.parent_path() / target;
      for (auto rest = std::next(part); rest != parts.end(); ++rest) onward /= *rest;
      return std::optional(onward.lexically_normal());
    }
    return std::optional<fs::path>();
  }

  static Status make_parents(const fs::path& path) {
    std::error_code failed;
    fs::create_directories(place_of(path).parent_path(), failed);
    errno = failed.value();
    return in_namespaces(!failed, "cannot make the folder of '" + path.string() + "'");
  }

  static Status bind(const fs::path& path, uint64_t attributes) {
    std::error_code failed;
    const fs::file_status status = fs::status(path, failed);
    if (failed || !fs::exists(status)) return {};  // not on this machine, or not for this user
    const fs::path place = place_of(path);
    if (!fs::exists(place, failed)) {
      TRY_STATUS(make_parents(path));
      if (fs::is_directory(status)) {
        fs::create_directory(place, failed);
      } else {
        const supervisor::UniqueFd file(::open(place.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
      }
    }
    TRY_STATUS(in_namespaces(::mount(path.c_str(), place.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0,
                             "cannot show '" + path.string() + "'"));
    return restrict_mount(place, attributes);
  }

  static Status restrict_mount(const fs::path& place, uint64_t attributes) {
    mount_attr change{};
    change.attr_set = attributes;
    return in_namespaces(
        ::syscall(SYS_mount_setattr, -1, place.c_str(), AT_RECURSIVE, &change, sizeof change) == 0,
        "cannot restrict what is shown at '" + place.string() + "'");
  }
};

// What is to be shown, folders before what lies in them, so that a grant within another one counts.
std::vector<std::pair<std::string, uint64_t>> shown_paths(const SandboxPaths& paths) {
  constexpr uint64_t kFiles = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  std::vector<std::pair<std::string, uint64_t>> shown;
  for (const std::string& path : paths.read_only) shown.emplace_back(path, kFiles | MOUNT_ATTR_RDONLY);
  for (const std::string& path : paths.read_write) shown.emplace_back(path, kFiles);
  for (const std::string& path : paths.devices) shown.emplace_back(path, MOUNT_ATTR_NOSUID);
  const auto key = [](const auto& one) {
    const bool is_read_only = (one.second & MOUNT_ATTR_RDONLY) != 0;
    return std::tuple(one.first.size(), std::string_view(one.first), !is_read_only);
  };
  std::sort(shown.begin(), shown.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return shown;
}

Status change_root(const SandboxPaths& paths) {
  const std::string place(kBuildPlace);
  ::umask(022);
  TRY_STATUS(in_namespaces(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
                           "cannot keep mounts private"));
  TRY_STATUS(
      in_namespaces(::mount("plugin", place.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") == 0,
                    "cannot make a root"));
  NewRoot root;
  for (const auto& [path, attributes] : shown_paths(paths)) TRY_STATUS(root.show(path, attributes));
  // The old root ends up on top of the new one, and is taken off it.
  TRY_STATUS(in_namespaces(::chdir(place.c_str()) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
                               ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0,
                           "cannot change the root"));
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_RDONLY;
  return in_namespaces(::syscall(SYS_mount_setattr, -1, "/", 0, &change, sizeof change) == 0,
                       "cannot make the root read-only");
}

// Root becomes nobody: its rights are not needed any more, and limits on processes do not count for it.
Status become_nobody() {
  const bool is_done = ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                       ::setresuid(kNobody, kNobody, kNobody) == 0;
  TRY_STATUS(in_namespaces(is_done, "cannot become nobody"));
  // Or its own files in /proc would still be root's.
  return in_namespaces(::prctl(PR_SET_DUMPABLE, 1) == 0, "cannot own itself");
}

}  // namespace

uid_t user_in_namespaces() { return ::geteuid() == 0 ? kNobody : ::geteuid(); }

Status enter_namespaces(const SandboxPaths& paths, bool allows_network) {
  const int shared = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (allows_network ? 0 : CLONE_NEWNET);
  const supervisor::UniqueFd proc_self(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  TRY_STATUS(in_namespaces(proc_self.get() >= 0, "cannot open /proc/self"));
  // Root changes everything with the rights that it has, as folders of root are closed to others; another
  // user gets such rights by a user namespace, and must have it first.
  if (::geteuid() == 0) {
    TRY_STATUS(in_namespaces(::unshare(shared) == 0, "cannot be made"));
    TRY_STATUS(change_root(paths));
    TRY_STATUS(become_nobody());
    TRY_STATUS(in_namespaces(::unshare(CLONE_NEWUSER) == 0, "cannot be made for users"));
    return map_user(proc_self.get(), kNobody, kNobody);
  }
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  TRY_STATUS(in_namespaces(::unshare(CLONE_NEWUSER | shared) == 0, "cannot be made"));
  TRY_STATUS(map_user(proc_self.get(), user, group));
  return change_root(paths);
}

Status drop_capabilities() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // an ordinary user may not, and has none
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0)
    return Error{ErrorCode::kPluginSandboxFailed,
                 std::string("capabilities cannot be given up: ") + std::strerror(errno)};
  return {};
}

}  // namespace llama_gpu::plugins
