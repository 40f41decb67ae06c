#include "image/contents.h"

#include <nlohmann/json.hpp>

namespace penstock::image {
namespace {

using nlohmann::json;

auto PackagesToJson(const std::vector<ResolvedPackage>& packages) -> json {
  auto list = json::array();
  for (const auto& package : packages) list.push_back(json{package.name, package.version, package.sha256});
  return list;
}

auto PackagesFromJson(const json& list) -> std::vector<ResolvedPackage> {
  std::vector<ResolvedPackage> packages;
  for (const auto& item : list) {
    packages.push_back({item.at(0).get<std::string>(), item.at(1).get<std::string>(), item.at(2).get<std::string>()});
  }
  return packages;
}

}  // namespace

auto ToJsonText(const Contents& contents) -> std::string {
  auto asked = json::array();
  for (const auto& package : contents.spec.python_packages) asked.push_back(json{package.requirement, package.no_deps});
  json value{{"recipe", contents.recipe},
             {"python", contents.spec.python_version},
             {"system", contents.spec.system_packages},
             {"packages", std::move(asked)},
             {"base", contents.base_reference},
             {"layers", contents.base.layers},
             {"arch", contents.base.arch},
             {"path", contents.base_path},
             {"user", contents.base_user},
             {"apt", PackagesToJson(contents.resolved.apt)},
             {"pip", PackagesToJson(contents.resolved.pip)}};
  if (contents.spec.base_image) value["base_image"] = *contents.spec.base_image;
  if (const auto& build = contents.spec.build) {
    value["build"] = {{"context", build->written}, {"dockerfile", build->dockerfile}};
  }
  if (!contents.lock_digest.empty()) value["lock"] = contents.lock_digest;
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

auto ParseContents(const std::string& text) -> std::optional<Contents> {
  const auto value = json::parse(text, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  try {
    Contents contents;
    contents.recipe = value.at("recipe").get<int>();
    contents.spec.python_version = value.at("python").get<std::string>();
    contents.spec.system_packages = value.at("system").get<std::vector<std::string>>();
    for (const auto& item : value.at("packages")) {
      contents.spec.python_packages.push_back({item.at(0).get<std::string>(), item.at(1).get<bool>()});
    }
    if (value.contains("base_image")) contents.spec.base_image = value["base_image"].get<std::string>();
    if (value.contains("build")) {
      contents.spec.build = ImageBuild{.written = value["build"].at("context").get<std::string>(),
                                       .dockerfile = value["build"].at("dockerfile").get<std::string>()};
    }
    contents.base_reference = value.at("base").get<std::string>();
    contents.base = {value.at("layers").get<std::vector<std::string>>(), value.at("arch").get<std::string>()};
    contents.base_path = value.at("path").get<std::string>();
    contents.base_user = value.at("user").get<std::string>();
    contents.lock_digest = value.value("lock", "");
    contents.resolved = {PackagesFromJson(value.at("apt")), PackagesFromJson(value.at("pip"))};
    return contents;
  } catch (const json::exception&) {  // anybody can put a label on an image
    return std::nullopt;
  }
}

}  // namespace penstock::image
