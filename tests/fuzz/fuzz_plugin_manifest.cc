// links: plugins
// SPDX-License-Identifier: Apache-2.0
//
// What comes with a plugin, and what its store reads back: manifests as they are, manifests that are built
// from the input so that most of them get far, versions and ranges, lock files. An error must name a place;
// what was accepted must be in range, and be read again from what is written of it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "plugins/generation_json.h"
#include "plugins/json_text.h"
#include "plugins/manifest.h"
#include "plugins/package_files.h"
#include "plugins/semver.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::plugins;

void check_manifest(const PluginManifest& manifest) {
  CHECK(is_plugin_id(manifest.id), "a manifest without an id");
  CHECK(to_string(*parse_version(to_string(manifest.version))) == to_string(manifest.version), "a version");
  CHECK(manifest.host_api_min <= manifest.host_api_max, "no host will do");
  CHECK(!manifest.capabilities.empty() && !manifest.command.empty(), "nothing to run");
  CHECK(is_package_path(manifest.command.front()), "a program outside of the package");
  CHECK(manifest.limits.memory_bytes > 0 && manifest.limits.call_timeout.count() > 0, "a limit");
  CHECK(check_json_object(manifest.default_config, "config").ok(), "a config that is no JSON object");
  CHECK(check_json_object(manifest.config_schema, "schema").ok(), "a schema that is no JSON object");
  CHECK(is_valid_utf8(manifest.summary) && manifest.summary.size() <= 200, "a summary");
  for (const auto* paths : {&manifest.permissions.read_paths, &manifest.permissions.write_paths}) {
    for (const std::string& path : *paths) {
      CHECK(path.starts_with('/') && path.find("..") != 0 && is_valid_utf8(path), "a permission");
    }
  }
  for (const PluginDependency& dependency : manifest.dependencies) {
    CHECK(is_plugin_id(dependency.id) && VersionRange::parse(dependency.range.text()).ok(), "a dependency");
  }
  (void)check_host_api(manifest, *parse_version(kHostApiVersion));
}

void fuzz_manifest(std::string_view text) {
  const Result<PluginManifest> parsed = parse_manifest(text, "p.toml");
  if (parsed.ok()) return check_manifest(*parsed);
  const Error& error = parsed.error();
  CHECK(error.code == ErrorCode::kPluginInvalid, "a manifest's error of another kind");
  CHECK(error.message.starts_with("p.toml:"), "an error without its place");
  CHECK(is_valid_utf8(error.message) && error.message.find_first_of("\n\r\x1b") == std::string::npos,
        "an error not fit to show");
}

// Takes decisions off the input.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  size_t below(size_t bound) { return take() % bound; }
  std::string_view text() {
    const std::string_view taken = bytes_.substr(0, take());
    bytes_.remove_prefix(taken.size());
    return taken;
  }

 private:
  uint8_t take() {
    if (bytes_.empty()) return 0;
    const auto first = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return first;
  }

  std::string_view bytes_;
};

// A TOML value: one of the usual, or any text as a string.
std::string any_value(Choices& choices) {
  constexpr std::array<std::string_view, 18> kValues = {"\"a/b\"",
                                                        "\"1.0.0\"",
                                                        "\"^1.2 || 3.x\"",
                                                        "[\"request_filter\"]",
                                                        "[\"python3\", \"-u\"]",
                                                        "[\"/etc\", \"/\"]",
                                                        "true",
                                                        "0",
                                                        "-1",
                                                        "99999999999999999",
                                                        "\"256MiB\"",
                                                        "\"closed\"",
                                                        "1.5",
                                                        "nan",
                                                        "{ a = [1, { b.c = 2 }] }",
                                                        "2026-11-23T01:02:03Z",
                                                        "[]",
                                                        "\"a.json\""};
  const size_t choice = choices.below(kValues.size() + 3);
  return choice < kValues.size() ? std::string(kValues[choice]) : json_string(repair_utf8(choices.text()));
}

// A manifest that is right but for the keys that the input adds or replaces.
std::string built_manifest(Choices& choices) {
  struct Section {
    std::string_view name;
    std::vector<std::pair<std::string, std::string>> keys;
  };
  std::vector<Section> sections = {{"plugin",
                                    {{"id", "\"acme/guard\""},
                                     {"version", "\"1.0.0\""},
                                     {"command", "[\"sh\"]"},
                                     {"capabilities", "[\"event_listener\"]"}}},
                                   {"host_api", {{"min", "\"1.0.0\""}, {"max", "\"1.9.0\""}}},
                                   {"permissions", {}},
                                   {"limits", {}},
                                   {"dependencies", {}},
                                   {"conflicts", {}},
                                   {"config", {}},
                                   {"config_schema", {}}};
  constexpr std::array<std::string_view, 24> kKeys = {"id",
                                                      "version",
                                                      "summary",
                                                      "license",
                                                      "command",
                                                      "capabilities",
                                                      "failure_policy",
                                                      "order",
                                                      "required",
                                                      "config_schema_file",
                                                      "min",
                                                      "max",
                                                      "tested_with",
                                                      "read",
                                                      "write",
                                                      "network",
                                                      "memory",
                                                      "file_size",
                                                      "open_files",
                                                      "processes",
                                                      "start_timeout_ms",
                                                      "call_timeout_ms",
                                                      "\"x/y\"",
                                                      "a.b.c"};
  while (!choices.empty()) {
    Section& section = sections[choices.below(sections.size())];
    const size_t key = choices.below(kKeys.size() + 2);
    const std::string name =
        key < kKeys.size() ? std::string(kKeys[key]) : json_string(repair_utf8(choices.text()));
    std::string value = any_value(choices);
    std::erase_if(section.keys, [&](const auto& other) { return other.first == name; });
    section.keys.emplace_back(name, std::move(value));
  }
  std::string toml;
  for (const Section& section : sections) {
    toml += "[" + std::string(section.name) + "]\n";
    for (const auto& [key, value] : section.keys) toml += key + " = " + value + "\n";
  }
  return toml;
}

void fuzz_versions(std::string_view text) {
  std::vector<Version> versions;
  for (const std::string_view line : split(text, '\n')) {
    if (const Result<Version> version = parse_version(line); version.ok()) {
      CHECK(to_string(*version) == line, "a version is not written as it was read");
      versions.push_back(*version);
    }
    const Result<VersionRange> range = VersionRange::parse(line);
    CHECK(!range.ok() || range->text() == line, "a range is not written as it was read");
    for (const Version& version : versions) {
      CHECK((version <=> versions.front()) == (0 <=> (versions.front() <=> version)), "no order of versions");
      if (range.ok()) (void)range->contains(version);
    }
    if (versions.size() > 50) versions.clear();
  }
}

void fuzz_store_files(std::string_view text) {
  if (const Result<Generation> generation = decode_generation(text, "1.json"); generation.ok()) {
    CHECK(*decode_generation(encode_generation(*generation), "1.json") == *generation, "a lock file changed");
  }
  if (const auto packages = decode_quarantine(text, "q.json"); packages.ok()) {
    CHECK(*decode_quarantine(encode_quarantine(*packages), "q.json") == *packages, "a quarantine changed");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz_manifest(text);
  Choices choices(text);
  fuzz_manifest(built_manifest(choices));
  fuzz_versions(text);
  fuzz_store_files(text);
  return 0;
}
