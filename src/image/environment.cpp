#include "image/environment.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/sha256.h"
#include "image/requirement.h"

namespace penstock::image {

auto SpecOf(const manifest::DockerSection& docker) -> EnvironmentSpec {
  return {docker.python_version, docker.base_image, docker.system_dependencies, docker.python_packages, {}};
}

auto Normalise(const EnvironmentSpec& spec) -> base::Expected<EnvironmentSpec> {
  EnvironmentSpec result{spec.python_version, spec.base_image, {}, {}, spec.locked, spec.locked_base, spec.build};
  for (const auto& package : spec.system_packages) {
    PENSTOCK_ASSIGN(auto normal, NormaliseSystemPackage(package));
    result.system_packages.push_back(std::move(normal));
  }
  for (const auto& package : spec.python_packages) {
    PENSTOCK_ASSIGN(auto normal, NormaliseRequirement(package.requirement));
    result.python_packages.push_back({std::move(normal), package.no_deps});
  }
  auto& system = result.system_packages;
  std::ranges::sort(system);
  system.erase(std::unique(system.begin(), system.end()), system.end());
  auto& python = result.python_packages;
  std::ranges::sort(python, {}, [](const auto& item) { return std::tie(item.no_deps, item.requirement); });
  python.erase(std::unique(python.begin(), python.end()), python.end());
  return result;
}

auto LockDigest(const std::optional<Resolved>& locked) -> std::string {
  if (!locked) return {};
  std::string text;
  for (const auto* packages : {&locked->apt, &locked->pip}) {
    for (const auto& package : *packages)
      text += fmt::format("{}={} {}\n", package.name, package.version, package.sha256);
    text += '\n';
  }
  return base::Sha256(text);
}

auto Identity(const EnvironmentSpec& spec, const BaseContent& base) -> std::string {
  nlohmann::json content{{"recipe", kEnvironmentRecipe},
                         {"base", base.layers},
                         {"arch", base.arch},
                         {"python", spec.python_version},
                         {"system", spec.system_packages},
                         {"packages", nlohmann::json::array()}};
  for (const auto& package : spec.python_packages) {
    content["packages"].push_back(nlohmann::json{package.requirement, package.no_deps});
  }
  if (spec.locked) content["lock"] = LockDigest(spec.locked);
  // Strings from a manifest may hold bytes that are not UTF-8; they must not throw here.
  return base::Sha256(content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace penstock::image
