// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/failpoint.h"
#include "base/result.h"

// What the plugin store does to the disk, each step between two failpoints: "plugin_store.AREA.ACTION.before"
// and "plugin_store.AREA.ACTION.after". Whatever step is the last, the store is whole: a test ends it at
// each.
namespace llama_gpu::plugins {

// All areas and actions that there are.
inline constexpr std::array<std::string_view, 16> kStoreAreas = {
    "layout",     "package",         "package_folder",  "package_rest", "listing",
    "generation", "current",         "quarantine",      "undo",         "collect_generation",
    "collect",    "collect_package", "collect_listing", "collect_done", "sweep",
    "data"};
inline constexpr std::array<std::string_view, 7> kStoreActions = {
    "make_folder", "write", "sync", "rename", "exchange", "sync_folder", "delete"};

// "plugin_store.AREA.ACTION". REQUIRES: both are listed above.
std::string store_step_name(std::string_view area, std::string_view action);

// Runs one step between its failpoints.
template <typename Step>
Status store_step(std::string_view area, std::string_view action, Step&& step) {
  const std::string name = store_step_name(area, action);
  TRY_STATUS(failpoint(name + ".before"));
  TRY_STATUS(std::forward<Step>(step)());
  return failpoint(name + ".after");
}

// FOLDER/NAME
std::string path_in_store(std::string_view folder, std::string_view name);

// Makes what happened in a folder durable. Action: sync_folder.
Status sync_store_folder(std::string_view area, const std::string& folder);

// Makes a folder for this user alone where it is missing, and that durable. Actions: make_folder,
// sync_folder.
Status make_store_folder(std::string_view area, const std::string& folder);

// Old or new contents after a crash at any point: writes beside it ("NAME.new"), syncs, renames, syncs the
// folder. Actions: write, sync, rename, sync_folder.
Status replace_store_file(std::string_view area, const std::string& path, std::string_view contents);

// Renames within a folder and makes that durable. Actions: rename, sync_folder.
Status rename_in_store(std::string_view area, const std::string& from, const std::string& to);

// Removes a file; nothing to do where there is none. Action: delete.
Status delete_store_file(std::string_view area, const std::string& path);

// Removes a folder with all that it holds, read-only or not; nothing to do where there is none. Action for
// each file and folder: delete.
Status delete_store_tree(std::string_view area, const std::string& folder);

// The names in a folder, sorted; none where there is no such folder.
Result<std::vector<std::string>> names_in_store(const std::string& folder);

}  // namespace llama_gpu::plugins
