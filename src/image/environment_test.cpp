#include "image/environment.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace penstock::image {
namespace {

auto GenSpec() -> rc::Gen<EnvironmentSpec> {
  return rc::gen::exec([] {
    EnvironmentSpec spec;
    spec.python_version = *rc::gen::element<std::string>("3.9", "3.10", "3.11");
    const auto name = rc::gen::element<std::string>("numpy", "six", "a-b", "zope.interface", "PyYAML", "torch");
    const auto version = rc::gen::element<std::string>("", "==1.0", ">=1,<2", "~=2.3");
    for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
      spec.python_packages.push_back({*name + *version, *rc::gen::arbitrary<bool>()});
    }
    spec.system_packages =
        *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>("ffmpeg", "tree", "hello", "g++"));
    return spec;
  });
}

const BaseContent kBase{{"sha256:aa", "sha256:bb"}, "amd64"};

auto IdentityOf(const EnvironmentSpec& spec, const BaseContent& base = kBase) -> std::string {
  return Identity(Normalise(spec).value(), base);
}

RC_GTEST_PROP(Identity, DoesNotDependOnOrderOrRepetition, ()) {
  const auto spec = *GenSpec();
  auto shuffled = spec;
  // Any permutation is a sequence of transpositions; repeat an item on the way.
  const auto shuffle = [](auto& list) {
    if (list.empty()) return;
    for (int i = 0; i < 8; ++i) {
      std::swap(list[*rc::gen::inRange<std::size_t>(0, list.size())],
                list[*rc::gen::inRange<std::size_t>(0, list.size())]);
    }
    list.push_back(list[*rc::gen::inRange<std::size_t>(0, list.size())]);
  };
  shuffle(shuffled.python_packages);
  shuffle(shuffled.system_packages);
  RC_ASSERT(IdentityOf(spec) == IdentityOf(shuffled));
}

RC_GTEST_PROP(Identity, DiffersExactlyWhenTheNormalisedContentDiffers, ()) {
  auto one = Normalise(*GenSpec()).value();
  auto two = Normalise(*GenSpec()).value();
  RC_ASSERT((one == two) == (Identity(one, kBase) == Identity(two, kBase)));
}

RC_GTEST_PROP(Identity, ChangesWithAnyPackageThatIsAddedOrRemoved, ()) {
  const auto spec = *GenSpec();
  auto more = spec;
  if (*rc::gen::arbitrary<bool>()) {
    more.system_packages.emplace_back("another");
  } else {
    more.python_packages.push_back({"another", *rc::gen::arbitrary<bool>()});
  }
  RC_ASSERT(IdentityOf(spec) != IdentityOf(more));
}

TEST(Identity, ChangesWithBasePythonArchitectureAndNoDeps) {
  const EnvironmentSpec spec{"3.11", std::nullopt, {}, {{"six", false}}};
  const auto identity = IdentityOf(spec);
  EXPECT_NE(identity, IdentityOf({"3.10", std::nullopt, {}, {{"six", false}}}));
  EXPECT_NE(identity, IdentityOf({"3.11", std::nullopt, {}, {{"six", true}}}));
  EXPECT_NE(identity, IdentityOf({"3.11", std::nullopt, {"six"}, {}}));
  EXPECT_NE(identity, IdentityOf(spec, {{"sha256:aa"}, "amd64"}));
  EXPECT_NE(identity, IdentityOf(spec, {kBase.layers, "arm64"}));
}

TEST(Identity, DependsOnTheBaseImagesContentNotOnItsName) {
  EXPECT_EQ(IdentityOf({"3.11", std::nullopt, {"tree"}, {}}), IdentityOf({"3.11", "mine:latest", {"tree"}, {}}));
}

TEST(Normalise, NamesTheWrongPackage) {
  const auto normal = Normalise({"3.11", std::nullopt, {}, {{"good", false}, {"--bad", false}}});
  ASSERT_FALSE(normal);
  EXPECT_NE(normal.error().message().find("--bad"), std::string::npos);
}

}  // namespace
}  // namespace penstock::image
