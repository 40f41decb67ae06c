// What `penstock doctor` looks at. Every look is a function that finds something out and changes nothing; the verb
// (doctor.cpp) puts them in order and prints them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/verbs.h"
#include "docker/engine.h"

namespace penstock::cli {

/// In ascending order of what it means.
enum class Health {
  kGood,
  kNote,     // good to know; everything works
  kWarning,  // something works less well, or soon will not
  kProblem,  // something does not work at all: exit code 3
};
auto ToString(Health health) -> std::string_view;

struct Finding {
  std::string name;
  Health health = Health::kGood;
  std::string found;     // what there is
  std::string meaning;   // for Penstock
  std::string remedy{};  // what to do; empty: nothing
};
using Findings = std::vector<Finding>;

// doctor_kernel.cpp
auto LookAtKernel() -> Finding;
auto LookAtKernelFeatures() -> Finding;
auto LookAtSharedMemory() -> Finding;
auto LookAtUserNamespaces() -> Finding;
auto LookAtLandlock() -> Finding;
auto LookAtControlGroups() -> Finding;

// doctor_host.cpp
auto LookAtMemory() -> Finding;
auto LookAtCores() -> Finding;
auto LookAtDescriptors() -> Finding;
auto LookAtProcesses() -> Finding;
auto LookAtInstallation() -> Finding;
auto LookAtNativeNodes() -> Finding;
auto LookAtPythons() -> Finding;
/// Of the folders that Penstock writes to, one each.
auto LookAtFolders() -> Findings;

// doctor_engine.cpp
/// `engine` is null where there is none, and `error` says why.
auto LookAtEngine(const docker::Engine* engine, std::string_view error) -> Finding;
auto LookAtEngineSettings(const docker::Engine& engine) -> Finding;
auto LookAtEngineDisk(const docker::Engine& engine) -> Finding;
auto LookAtBaseImages(const docker::Engine& engine) -> Finding;
/// What runtimes that were killed have left: containers only where there is an engine.
auto LookAtLeftovers(const docker::Engine* engine) -> Finding;

}  // namespace penstock::cli
