// What happens while an image is being made, for a person who waits.
#pragma once

#include <functional>
#include <string>

namespace penstock::image {

struct Progress {
  std::string image;  // what is being made: "base 3.11", "environment 1f2e3d4c5b6a"
  std::string step;   // "downloading Python packages"; stays until the next one starts
  std::string line;   // newest line of output of this step; empty when the step has just begun
};

/// Called from the thread that builds or from the engine client's own, one call at a time for each image: short, no
/// calls of the engine in it.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace penstock::image
