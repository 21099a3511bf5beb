// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/failpoint.h"
#include "base/result.h"

// What the plugin store does to the disk, each step between two failpoints: "plugin_store.STEP.before" and
// "plugin_store.STEP.after". Whatever step is the last, the store is whole.
namespace llama_gpu::plugins {

// Runs one step between its failpoints.
template <typename Step>
Status store_step(std::string_view name, Step&& step) {
  const std::string failpoint_name = "plugin_store." + std::string(name);
  TRY_STATUS(failpoint(failpoint_name + ".before"));
  TRY_STATUS(std::forward<Step>(step)());
  return failpoint(failpoint_name + ".after");
}

// Makes what happened in a folder durable. Step: "KIND.sync_folder".
Status sync_store_folder(std::string_view kind, const std::string& folder);

// Makes a folder for this user alone where it is missing, and that durable. Steps: "KIND.make_folder",
// "KIND.sync_folder".
Status make_store_folder(std::string_view kind, const std::string& folder);

// Old or new contents after a crash at any point: writes beside it ("NAME.new"), syncs, renames, syncs the
// folder. Steps: "KIND.write", ".sync", ".rename", ".sync_folder".
Status replace_store_file(std::string_view kind, const std::string& path, std::string_view contents);

// Renames within a folder and makes that durable. Steps: "KIND.rename", "KIND.sync_folder".
Status rename_in_store(std::string_view kind, const std::string& from, const std::string& to);

// Removes a file; nothing to do where there is none. Step: "KIND.delete".
Status delete_store_file(std::string_view kind, const std::string& path);

// Removes a folder with all that it holds, read-only or not; nothing to do where there is none. Step for each
// file and folder: "KIND.delete".
Status delete_store_tree(std::string_view kind, const std::string& folder);

// The names in a folder, sorted; none where there is no such folder.
Result<std::vector<std::string>> names_in_store(const std::string& folder);

}  // namespace llama_gpu::plugins
