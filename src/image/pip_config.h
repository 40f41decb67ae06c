// pip's configuration files: where packages come from, without what belongs to the host's own Python.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::image {

/// key → value, spelled with '-', lower case. Several lines of a value are joined by line ends.
using PipSettings = std::map<std::string, std::string>;

/// Reads the keys that say where packages come from and which to prefer (index-url, proxy, cert, only-binary, …) from
/// the sections [global], [download], [install] and [wheel], later ones first. Others (target, user, cache-dir, …) are
/// about the host's own Python and are left out. Lines that are no INI are skipped, as pip would complain on the host.
auto ParsePipConfig(std::string_view text) -> PipSettings;

/// The keys that ParsePipConfig keeps.
auto IsSourceSetting(std::string_view key) -> bool;

/// A pip.conf with these settings.
auto RenderPipConfig(const PipSettings& settings) -> std::string;

/// Splits a value of several lines or words: find-links, extra-index-url.
auto SplitWords(std::string_view value) -> std::vector<std::string>;

/// The host in a URL ("user:pw@[::1]:80" → "::1"); empty when there is none.
auto UrlHost(std::string_view url) -> std::string;
/// A host name that means the machine itself, which a container with a network of its own cannot reach.
auto IsLoopbackHost(std::string_view host) -> bool;

}  // namespace penstock::image
