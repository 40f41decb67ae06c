// The packages that an environment ended up with, exactly.
#pragma once

#include <string>
#include <vector>

namespace penstock::image {

struct ResolvedPackage {
  std::string name;     // Debian's, with ":arch" for a foreign one; or a Python name as PEP 503 spells it
  std::string version;  // exact
  std::string sha256;   // of the file it came in, hexadecimal; empty: not known

  auto operator==(const ResolvedPackage&) const -> bool = default;
};

/// Beyond the base, sorted by name.
struct Resolved {
  std::vector<ResolvedPackage> apt;
  std::vector<ResolvedPackage> pip;

  auto empty() const noexcept -> bool { return apt.empty() && pip.empty(); }
  auto operator==(const Resolved&) const -> bool = default;
};

}  // namespace penstock::image
