// The native nodes of this installation, by their own declarations.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace penstock::cli {

struct NativePort {
  std::string name;
  std::string type;
};

struct NativeParam {
  std::string name;  // "audio.rate" for one inside of a mapping
  std::string type;
  std::string what;
  std::optional<std::string> otherwise;  // absent: it must be given
};

struct NativeNode {
  std::string name;
  std::string summary;
  std::vector<NativePort> inputs;
  std::vector<NativePort> outputs;
  std::vector<NativeParam> params;
};

struct NativeNodes {
  std::vector<NativeNode> nodes;        // by name
  std::vector<std::string> complaints;  // why plugins, or all, could not be asked

  auto Find(const std::string& name) const -> const NativeNode*;
  auto Names() const -> std::vector<std::string>;
};

/// Plugins are loaded by the native worker only, so that a broken one cannot harm the runtime: it is asked, once a
/// process.
auto AskNativeNodes() -> const NativeNodes&;

}  // namespace penstock::cli
