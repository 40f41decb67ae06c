// Whether nodes can run in an image: one line for each thing that they need, and for what is wrong what to change.
#pragma once

#include <string>
#include <vector>

#include "image/image_facts.h"

namespace penstock::image {

struct Check {
  enum class Result {
    kPassed,
    kFailed,
    kNoted,       // not needed
    kNotChecked,  // because of a failure above
  };
  std::string name;  // "glibc"
  Result result = Result::kPassed;
  std::string found;   // "glibc 2.31"
  std::string remedy;  // of a failure
};
auto ToString(Check::Result result) -> std::string_view;

/// "glibc: glibc 2.31; Penstock needs …", one line of a list.
auto Render(const Check& check) -> std::string;

/// Of the machine that an image is for; the only check that needs no container.
auto CheckArchitecture(const docker::Image& image, const std::string& machine) -> Check;
/// All others. `python_version`: the one it must have; empty: any that Penstock works with.
auto CheckFacts(const ImageFacts& facts, const std::string& python_version) -> std::vector<Check>;

/// Why nodes of its Python version cannot run in the image of `entry`, made by a Dockerfile, a line for each failure;
/// empty: they can, or nobody has looked yet. Errors: the index's.
auto RefusalOf(Index& index, const Entry& entry) -> base::Expected<std::string>;

auto AllPassed(const std::vector<Check>& checks) -> bool;

}  // namespace penstock::image
