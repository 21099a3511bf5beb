// SPDX-License-Identifier: Apache-2.0
// The first-party plugin prompt-guard, packed as scripts/pack_plugin.sh does it, in its sandbox: protocol,
// SDK and sandbox fit together.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/temporary_folder_fake.h"
#include "plugins/package.h"
#include "plugins/plugin_protocol.h"
#include "plugins/sandbox.h"
#include "supervisor/frame_socket.h"
#include "supervisor/worker_process.h"

namespace llama_gpu::plugins {
namespace {

using supervisor::FrameDecoder;
using supervisor::FrameKind;

namespace fs = std::filesystem;
const fs::path kSources = fs::path(LLAMAGPU_TESTDATA).parent_path();

void make_readable(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    ::chmod(entry.path().c_str(), entry.is_directory() ? 0755 : 0644);
}

class PromptGuardTest : public testing::Test {
 protected:
  PromptGuardTest() {
    const fs::path package = folder_.path("package");
    fs::create_directories(package / "llama_gpu_plugin");
    for (const char* name : {"plugin.toml", "guard.py", "findings.py"})
      fs::copy_file(kSources / "plugins/prompt-guard" / name, package / name);
    fs::copy_file(kSources / "sdk/python/llama_gpu_plugin/__init__.py",
                  package / "llama_gpu_plugin/__init__.py");
    make_readable(folder_.path());
    fs::create_directory(folder_.path("data"));
    package_ = read_package(package.string()).value();
  }

  void start() {
    const SandboxedCommand made = sandboxed_command({.package_folder = package_.folder,
                                                     .data_folder = folder_.path("data"),
                                                     .permissions = package_.manifest.permissions,
                                                     .limits = package_.manifest.limits},
                                                    package_.manifest.command);
    supervisor::WorkerCommand command{.program = LLAMAGPU_SANDBOX_LAUNCHER,
                                      .arguments = made.arguments,
                                      .environment = made.environment,
                                      .leads_group = true};
    command.arguments[1] = "";
    process_.emplace(supervisor::WorkerProcess::spawn(command).value());
  }

  void send(const std::string& payload) {
    const std::string frame = supervisor::encode_frame(FrameKind::kControl, payload).value();
    ASSERT_EQ(::send(process_->socket_fd(), frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
  }

  // The result of the request that was sent last.
  Json result() {
    for (;;) {
      if (const auto frame = decoder_.next().value())
        return std::get<PluginReply>(decode_plugin_message(frame->payload).value()).result.value();
      pollfd source{.fd = process_->socket_fd(), .events = POLLIN, .revents = 0};
      CHECK(::poll(&source, 1, 60'000) == 1, "the plugin is silent");
      CHECK(supervisor::receive(process_->socket_fd(), decoder_) != supervisor::Received::kEnd,
            "the plugin has ended");
    }
  }

  TemporaryFolder folder_;
  PluginPackage package_;
  std::optional<supervisor::WorkerProcess> process_;
  FrameDecoder decoder_;
};

TEST_F(PromptGuardTest, MasksAConversationInItsSandbox) {
  start();
  send(encode_initialize(1, package_.manifest, package_.manifest.default_config, folder_.path("data")));
  EXPECT_TRUE(check_initialized(result(), package_.manifest).ok());
  send(encode_self_test(2));
  EXPECT_TRUE(check_self_test(result()).ok());
  send(encode_health(3));
  EXPECT_TRUE(check_health(result()).ok());

  const FilterCall call{
      "r", "m", std::vector<text::ChatMessage>{{"user", "I am jane@example.com, 4111 1111 1111 1111"}}};
  send(encode_filter_request(4, call, 1'000));
  const FilterVerdict verdict = read_filter_verdict(result(), call).value();
  EXPECT_THAT(std::get<0>(verdict.replacement.value()),
              testing::ElementsAre(text::ChatMessage{"user", "I am [email], [card]"}));

  send(encode_shutdown());
  pollfd end{.fd = process_->exit_fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&end, 1, 60'000), 1);
  EXPECT_EQ(process_->reap()->exit_code, 0);
}

}  // namespace
}  // namespace llama_gpu::plugins
