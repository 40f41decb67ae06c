// A model that is written out and read again is the same model, whichever of the two spellings it was written in.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "manifest/generate_pipeline.h"
#include "manifest/load.h"

namespace penstock::manifest {
namespace {

/// Block style for what is not empty; scalars in JSON's spelling, which is YAML's too.
auto ToYaml(const nlohmann::json& value, std::size_t indent) -> std::string {
  const std::string margin(indent, ' ');
  std::string text;
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, inner] : value.items()) {
      text += fmt::format("\n{}{}:{}", margin, nlohmann::json(key).dump(), ToYaml(inner, indent + 2));
    }
    return text;
  }
  if (value.is_array() && !value.empty()) {
    for (const auto& inner : value) text += fmt::format("\n{}-{}", margin, ToYaml(inner, indent + 2));
    return text;
  }
  return fmt::format(" {}", value.dump());
}

void ExpectSame(const Pipeline& pipeline, const std::string& text) {
  const auto again = Parse(text, "again", "/");
  if (!again) RC_FAIL(text + "\n" + RenderErrors(again.error()));
  RC_ASSERT(ToJson(*again) == ToJson(pipeline));
}

RC_GTEST_PROP(ManifestRoundTrip, ThroughCompactJson, ()) {
  const auto pipeline = GeneratePipeline();
  ExpectSame(pipeline, ToJson(pipeline).dump());
}

RC_GTEST_PROP(ManifestRoundTrip, ThroughAsciiJsonIndentedWithTabs, ()) {
  const auto pipeline = GeneratePipeline();
  ExpectSame(pipeline, ToJson(pipeline).dump(1, '\t', true));
}

RC_GTEST_PROP(ManifestRoundTrip, ThroughBlockYaml, ()) {
  const auto pipeline = GeneratePipeline();
  ExpectSame(pipeline, ToYaml(ToJson(pipeline), 0).substr(1));
}

}  // namespace
}  // namespace penstock::manifest
