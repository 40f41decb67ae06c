// Which containers of the engine are whose, and how a dead owner is known.
//
// Every container that Penstock makes has an entry, a directory {base::RuntimeDirectory}/c/{name} whose lock its users
// hold (base/locked_directory.h), and labels that lead to it. A container whose entry is gone, or can be claimed, is
// nobody's, whatever has become of the process that had it made (container/orphans.h).
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "docker/types.h"

namespace penstock::docker {

inline constexpr const char* kUserLabel = "penstock.user";            // user id of its maker
inline constexpr const char* kDirectoryLabel = "penstock.directory";  // under which its entry is
inline constexpr const char* kEntryLabel = "penstock.entry";          // the entry's name

/// Made when missing.
auto EntriesDirectory() -> base::Expected<std::filesystem::path>;
/// The engine's name of the container, known before and after it exists.
auto EngineName(const std::filesystem::path& entry) -> std::string;
auto EntryLabels(const std::filesystem::path& entry) -> StringMap;
/// The same labels, emptied: for an image that is made of such a container. Images hand their labels on, and a
/// container of it is not its maker's.
auto NoEntryLabels() -> StringMap;

}  // namespace penstock::docker
