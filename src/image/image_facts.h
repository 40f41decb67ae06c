// What there is in an image, as one container of it sees it: asked once for each image, then known from the index.
//
// The container runs penstock-probe (src/worker/probe) and is locked down as those of nodes are: no network, a
// read-only root, no capabilities, an ordinary user. It is gone when this returns.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "docker/engine.h"
#include "image/index.h"

namespace penstock::image {

struct PythonFacts {
  std::string program;     // where PATH has it, or as it was asked for
  std::string executable;  // as it calls itself; empty: it does not run
  std::string version;     // "3.11"
  std::string full_version;
  std::string implementation;  // "cpython"
  bool debug = false;
  bool free_threaded = false;
  std::string problem;  // why it does not run, or how it ended
};

struct ImageFacts {
  std::uint64_t user = 0;  // who has looked
  std::string libc;        // "glibc 2.36", "musl"; empty: none
  std::optional<PythonFacts> python;
  std::string asked;          // the Python that was looked for; empty: the first python3 of PATH
  std::string in_path;        // the latter, when another one was asked for; empty: none
  std::string refused;        // a Python that the user must not run; empty: none
  std::string numpy;          // version; empty: not there …
  std::string numpy_problem;  // … or this
  bool extension = false;
  std::string extension_problem;
  std::string tmp_problem;    // empty: /tmp can be written
  std::string agent_problem;  // empty: it starts and grants a lease
  Time found{};               // when
};

/// Errors: kPeerCorrupt: it is not what the probe prints.
auto ParseFacts(const std::string& text) -> base::Expected<ImageFacts>;

enum class Probing {
  kWhenUnknown,
  kAnew,
};

/// What is known of it without a look; nullopt: nothing. Errors: the index's.
auto KnownFacts(Index& index, const std::string& image_id) -> base::Expected<std::optional<ImageFacts>>;

/// Of an image of this machine's architecture. `on_look`, which may be empty, is called when a container is needed.
/// Errors: the engine's, and those of the index.
auto FactsOf(docker::Engine& engine, const std::string& image_id, Probing probing, const std::function<void()>& on_look,
             const docker::Call& call) -> base::Expected<ImageFacts>;

/// The same with the Python `program` of the image, an absolute path. Asked anew every time, and not remembered: nodes
/// do not use it.
auto FactsWith(docker::Engine& engine, const std::string& image_id, const std::string& program,
               const docker::Call& call) -> base::Expected<ImageFacts>;

}  // namespace penstock::image
