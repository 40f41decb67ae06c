#include "cli/settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/native_nodes.h"
#include "manifest/suggest.h"
#include "manifest/value_text.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

struct Setting {
  std::string node;
  std::string param;  // as written, with its dots
  manifest::Json value;
};

auto Split(const std::string& text) -> base::Expected<Setting> {
  const auto equals = text.find('=');
  const auto target = text.substr(0, equals);
  const auto dot = target.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 == target.size()) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "'--set {}' is not NODE.PARAM=VALUE, as in --set asr.model=small", text);
  }
  auto value = manifest::ParseValueText(std::string_view(text).substr(equals + 1));
  if (!value) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the value of '--set {}' is not YAML: {}; quote what is meant as text: --set '{}=\"…\"'", text,
                      value.error().message(), target);
  }
  return Setting{.node = target.substr(0, dot), .param = target.substr(dot + 1), .value = *std::move(value)};
}

auto Keys(const json& object) -> std::vector<std::string> {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

auto Suggestion(const std::string& name, const std::vector<std::string>& known) -> std::string {
  return manifest::Suggest(name, std::vector<std::string_view>(known.begin(), known.end()));
}

class Applier final {
 public:
  explicit Applier(manifest::Pipeline& pipeline) : pipeline_(pipeline) {}

  void Apply(const std::string& text) {
    const auto setting = Split(text);
    if (!setting) {
      remarks_.errors.push_back(setting.error().message());
      return;
    }
    const auto node = std::ranges::find(pipeline_.nodes, setting->node, &manifest::Node::id);
    if (node == pipeline_.nodes.end()) {
      std::vector<std::string> ids;
      for (const auto& known : pipeline_.nodes) ids.push_back(known.id);
      return Refuse(text,
                    fmt::format("the pipeline has no node '{}'{}", setting->node, Suggestion(setting->node, ids)));
    }
    if (!IsDeclared(text, *node, setting->param)) return;
    auto params = *node->params;
    if (Put(text, *setting, params)) node->params = std::make_shared<const json>(std::move(params));
  }

  auto Take() -> SettingRemarks { return std::move(remarks_); }

 private:
  void Refuse(const std::string& text, const std::string& why) {
    remarks_.errors.push_back(fmt::format("'--set {}': {}", text, why));
  }

  /// Of native nodes it is known what they take; classes of Python say it nowhere.
  auto IsDeclared(const std::string& text, const manifest::Node& node, const std::string& param) -> bool {
    if (manifest::ClassifyNodeType(node.node_type) != manifest::NodeTypeKind::kNative) return true;
    const auto* native = AskNativeNodes().Find(node.node_type);
    if (native == nullptr) return true;  // which is told for the pipeline as a whole
    std::vector<std::string> known;
    for (const auto& declared : native->params) {
      if (declared.name == param || declared.name.starts_with(param + ".")) return true;
      known.push_back(declared.name);
    }
    Refuse(text, fmt::format("node '{}' ({}) has no parameter '{}'{}", node.id, node.node_type, param,
                             Suggestion(param, known)));
    return false;
  }

  /// False after an error.
  auto Put(const std::string& text, const Setting& setting, json& params) -> bool {
    auto* place = &params;
    std::string rest = setting.param;
    std::string way;  // to the place, for messages
    for (;;) {
      const auto dot = rest.find('.');
      if (dot == std::string::npos || place->contains(rest)) break;  // a key may have dots of its own
      const auto key = rest.substr(0, dot);
      way += (way.empty() ? "" : ".") + key;
      auto& next = (*place)[key];
      if (next.is_null()) next = json::object();
      if (!next.is_object()) {
        Refuse(text, fmt::format("'{}' of node '{}' is {}, which has no parameters in it", way, setting.node,
                                 next.dump(-1, ' ', false, json::error_handler_t::replace)));
        return false;
      }
      place = &next;
      rest = rest.substr(dot + 1);
    }
    if (!place->contains(rest)) Suspect(text, setting.node, rest, Keys(*place));
    (*place)[rest] = *setting.value;
    return true;
  }

  // The class may know parameters that the manifest does not mention; only what looks like a mistake is told.
  void Suspect(const std::string& text, const std::string& node, const std::string& name,
               const std::vector<std::string>& known) {
    const auto nearest = manifest::Nearest(name, std::vector<std::string_view>(known.begin(), known.end()));
    if (nearest.empty()) return;
    remarks_.warnings.push_back(fmt::format(
        "'--set {}': the manifest gives node '{}' no '{}', but '{}': was that meant?", text, node, name, nearest));
  }

  manifest::Pipeline& pipeline_;
  SettingRemarks remarks_;
};

}  // namespace

auto ApplySettings(manifest::Pipeline& pipeline, const std::vector<std::string>& settings) -> SettingRemarks {
  Applier applier(pipeline);
  for (const auto& setting : settings) applier.Apply(setting);
  return applier.Take();
}

}  // namespace penstock::cli
