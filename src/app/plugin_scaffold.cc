// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_scaffold.h"

#include <filesystem>

#include "base/file.h"
#include "base/strings.h"
#include "plugins/manifest.h"

namespace llama_gpu::app {
namespace {

std::string filled(std::string_view text, std::string_view id) {
  std::string out(text);
  const std::string_view name = split_once(id, '/').second;
  for (const auto& [mark, value] : {std::pair("@ID@", id), std::pair("@NAME@", name)}) {
    for (size_t place = out.find(mark); place != std::string::npos; place = out.find(mark, place))
      out.replace(place, std::string_view(mark).size(), value);
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> make_plugin(const std::string& folder, const std::string& id) {
  if (!plugins::is_plugin_id(id)) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(id, 100) + "' cannot name a plugin",
                 "write PUBLISHER/NAME in lower-case letters, digits and '-'", "id"};
  }
  std::error_code failed;
  const bool is_there = std::filesystem::exists(folder, failed);
  if (is_there && !std::filesystem::is_empty(folder, failed)) {
    return Error{ErrorCode::kInvalidValue, "the folder '" + escape_line(folder) + "' is not empty",
                 "name one that does not exist yet"};
  }
  std::vector<std::string> paths;
  for (const TemplateFile& file : python_plugin_template()) {
    const std::string path = folder + "/" + std::string(file.path);
    TRY_STATUS(create_directories(std::filesystem::path(path).parent_path().string()));
    TRY_STATUS(write_file_atomically(path, filled(file.text, id)));
    paths.push_back(path);
  }
  return paths;
}

}  // namespace llama_gpu::app
