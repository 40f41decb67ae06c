#include "image/host_config.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "base/command.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "image/pip_config.h"

extern char** environ;

namespace penstock::image {
namespace fs = std::filesystem;
using base::Expected;
using base::Status;
namespace {

constexpr std::size_t kLargest = std::size_t{64} << 20U;  // of a file of settings, or a bundle of certificates
constexpr std::array kProxies{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
                              "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",  "ALL_PROXY"};

auto Variable(const Host& host, const std::string& name) -> std::string {
  const auto found = host.environment.find(name);
  return found == host.environment.end() ? std::string() : found->second;
}

// What `path` is below the host's root; relative paths are not.
auto Below(const Host& host, const fs::path& path) -> fs::path {
  return path.is_absolute() ? host.root / path.relative_path() : path;
}

auto ReadFile(const Host& host, const fs::path& path) -> std::optional<std::string> {
  if (path.empty()) return std::nullopt;
  std::error_code error;
  const auto file = Below(host, path);
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  auto text = base::ReadFile(file, kLargest);
  if (!text) return std::nullopt;
  return std::move(*text);
}

auto Home(const Host& host) -> fs::path { return Variable(host, "HOME"); }

// In pip's own order, later over earlier.
auto ReadPipSettings(const Host& host) -> PipSettings {
  const auto chosen = Variable(host, "PIP_CONFIG_FILE");
  std::vector<fs::path> files;
  if (chosen != "/dev/null") {  // pip's way to say: no configuration files
    auto config_home = Variable(host, "XDG_CONFIG_HOME");
    files = {"/etc/xdg/pip/pip.conf", "/etc/pip.conf", Home(host) / ".pip/pip.conf",
             (config_home.empty() ? Home(host) / ".config" : fs::path(config_home)) / "pip/pip.conf", chosen};
  }
  PipSettings settings;
  for (const auto& file : files) {
    const auto text = ReadFile(host, file);
    if (!text) continue;
    for (auto& [key, value] : ParsePipConfig(*text)) settings[key] = value;
  }
  // PIP_INDEX_URL and the like outrank every file.
  for (const auto& [name, value] : host.environment) {
    if (!name.starts_with("PIP_") || value.empty()) continue;
    std::string key = name.substr(4);
    for (char& c : key) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (IsSourceSetting(key)) settings[key] = value;
  }
  return settings;
}

// Every CA that the host's own tools trust for packages, in one file: mirrors and indexes may each need another.
auto CollectCertificates(const Host& host, const PipSettings& pip) -> std::string {
  std::vector<fs::path> files;
  if (const auto cert = pip.find("cert"); cert != pip.end()) files.emplace_back(cert->second);
  for (const auto* name : {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    files.emplace_back(Variable(host, name));
  std::smatch match;
  static const std::regex kAptCa("Acquire::https::CaInfo \"([^\"]+)\"", std::regex::icase);
  if (std::regex_search(host.apt_options, match, kAptCa)) files.emplace_back(match[1].str());
  for (const auto* file :
       {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"}) {
    files.emplace_back(file);
  }
  std::set<std::string> seen;
  std::string bundle;
  for (const auto& file : files) {
    auto text = ReadFile(host, file);
    if (!text || !seen.insert(*text).second) continue;
    bundle += *text;
    if (!bundle.empty() && bundle.back() != '\n') bundle += '\n';
  }
  return bundle;
}

auto ShellQuote(std::string_view text) -> std::string {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  quoted += '\'';
  return quoted;
}

// Directories of the host are mounted and renamed; URLs stay; what does not exist is left out, as pip itself does.
auto LendFindLinks(const Host& host, const fs::path& directory, const std::string& mounted_at, PipSettings& pip,
                   HostConfig& config) -> Status {
  const auto found = pip.find("find-links");
  if (found == pip.end()) return {};
  std::string value;
  for (const auto& word : SplitWords(found->second)) {
    auto entry = word;
    if (word.find("://") == std::string::npos) {
      std::error_code error;
      const auto path = fs::absolute(Below(host, word), error);
      if (error || !fs::is_directory(path, error)) continue;
      const auto name = fmt::format("find-links-{}", config.find_links.size());
      fs::create_directory(directory / name, error);
      if (error) return base::SystemError(fmt::format("make '{}'", (directory / name).string()), error.value());
      config.find_links.push_back({path, name});
      entry = fmt::format("{}/{}", mounted_at, name);
    }
    if (!value.empty()) value += '\n';
    value += entry;
  }
  if (value.empty()) {
    pip.erase(found);
  } else {
    found->second = value;
  }
  return {};
}

// apt's way to the mirrors, without anything that is about the host's own packages.
auto AptOptions(const Host& host, const std::string& mounted_at) -> std::string {
  static const std::regex kKept(
      R"re(^Acquire::(Check-Valid-Until|Check-Date|Retries|ForceIPv4|ForceIPv6|(https?::(?!CaInfo|CaPath|SslCert|SslKey|CrlFile)[^" ]*)) "[^"\n]+";$)re",
      std::regex::icase);
  std::string text;
  std::istringstream lines(host.apt_options);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 1000 && std::regex_match(line, kKept)) text += line + "\n";
  }
  text +=
      fmt::format("Acquire::https::CaInfo \"{}/ca.crt\";\nDir::Etc::netrc \"{}/auth.conf\";\n", mounted_at, mounted_at);
  return text;
}

// Shell assignments; empty when the host is no Debian, and the image's own sources have to do.
auto Mirrors(const Host& host) -> std::string {
  std::string main;
  std::string security;
  std::set<std::string> components;
  std::istringstream lines(host.apt_targets);
  for (std::string line; std::getline(lines, line);) {
    const auto words = SplitWords(line);
    if (words.size() < 4 || words[2] != "Debian") continue;
    const auto& release = words[1];
    if (release.find('-') == std::string::npos) {
      if (main.empty()) main = words[0];
      if (words[0] == main) components.insert(words[3]);
    } else if (release.ends_with("-security") && security.empty()) {
      security = words[0];
    }
  }
  if (main.empty()) return {};
  return fmt::format("DEBIAN_MAIN={}\nDEBIAN_SECURITY={}\nDEBIAN_COMPONENTS={}\n", ShellQuote(main),
                     ShellQuote(security), ShellQuote(fmt::format("{}", fmt::join(components, " "))));
}

auto AptLogins(const Host& host) -> std::string {
  std::string text = ReadFile(host, "/etc/apt/auth.conf").value_or("");
  std::error_code error;
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(Below(host, "/etc/apt/auth.conf.d"), error)) {
    if (entry.path().extension() == ".conf") files.insert(entry.path());
  }
  for (const auto& file : files) {
    text += '\n';
    text += base::ReadFile(file, kLargest).value_or(std::string());
  }
  return text;
}

auto UsesLoopback(const Host& host, const PipSettings& pip, const std::string& apt) -> bool {
  std::vector<std::string> urls;
  for (const auto* key : {"index-url", "extra-index-url", "proxy", "find-links"}) {
    if (const auto found = pip.find(key); found != pip.end())
      std::ranges::move(SplitWords(found->second), std::back_inserter(urls));
  }
  for (const auto* name : kProxies) {
    if (std::string_view(name) != "no_proxy" && std::string_view(name) != "NO_PROXY")
      urls.push_back(Variable(host, name));
  }
  static const std::regex kUrl("[a-z][a-z0-9+.-]*://[^\" ']+");
  std::ranges::copy(std::vector<std::string>(std::sregex_token_iterator(apt.begin(), apt.end(), kUrl), {}),
                    std::back_inserter(urls));
  return std::ranges::any_of(urls, [](const auto& url) { return IsLoopbackHost(UrlHost(url)); });
}

}  // namespace

auto ReadHost(base::Deadline deadline) -> Host {
  Host host;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const auto equals = text.find('='); equals != std::string_view::npos) {
      host.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  // A host without apt, or whose apt fails, has no mirrors to lend: the image's own sources are used then.
  const auto collect = [&](std::string& text, const std::vector<std::string>& command) {
    const auto status =
        base::RunCommand(command, [&](std::string_view line) { text.append(line).append("\n"); }, deadline);
    if (!status || *status != 0) text.clear();
  };
  collect(host.apt_options, {"apt-config", "dump"});
  collect(host.apt_targets, {"apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(ORIGIN) $(COMPONENT)",
                             "Created-By: Packages"});
  return host;
}

auto WritePrivate(const fs::path& path, std::string_view text) -> Status {
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return base::SystemError(fmt::format("make '{}'", path.string()));
  while (!text.empty()) {
    const auto written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::SystemError(fmt::format("write '{}'", path.string()));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

auto WriteHostConfig(const Host& host, const fs::path& directory, const std::string& mounted_at)
    -> Expected<HostConfig> {
  HostConfig config;
  auto pip = ReadPipSettings(host);
  const auto mirrors = Mirrors(host);
  auto apt = AptOptions(host, mounted_at);
  const auto certificates = CollectCertificates(host, pip);

  std::string env;
  const auto set = [&env](std::string_view name, std::string_view value) {
    env += fmt::format("export {}={}\n", name, ShellQuote(value));
  };
  for (const auto* name : kProxies) {
    if (const auto value = Variable(host, name); !value.empty()) set(name, value);
  }
  if (!certificates.empty()) {
    const auto path = mounted_at + "/ca.crt";
    PENSTOCK_TRY(WritePrivate(directory / "ca.crt", certificates));
    for (const auto* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}) set(name, path);
    pip["cert"] = path;
  } else {
    pip.erase("cert");
    // apt fails on a CA file that is not there.
    apt.erase(apt.find("Acquire::https::CaInfo"), apt.find("Dir::Etc::netrc") - apt.find("Acquire::https::CaInfo"));
  }
  if (const auto client = pip.find("client-cert"); client != pip.end()) {
    if (const auto text = ReadFile(host, client->second)) {
      PENSTOCK_TRY(WritePrivate(directory / "client.pem", *text));
      client->second = mounted_at + "/client.pem";
    } else {
      pip.erase(client);
    }
  }
  auto netrc_path = Variable(host, "NETRC");
  if (const auto netrc = ReadFile(host, netrc_path.empty() ? Home(host) / ".netrc" : fs::path(netrc_path))) {
    PENSTOCK_TRY(WritePrivate(directory / "netrc", *netrc));
    set("NETRC", mounted_at + "/netrc");
  }
  config.needs_host_network = UsesLoopback(host, pip, apt + mirrors);
  PENSTOCK_TRY(LendFindLinks(host, directory, mounted_at, pip, config));
  set("PIP_CONFIG_FILE", mounted_at + "/pip.conf");
  PENSTOCK_TRY(WritePrivate(directory / "env", env));
  PENSTOCK_TRY(WritePrivate(directory / "pip.conf", RenderPipConfig(pip)));
  PENSTOCK_TRY(WritePrivate(directory / "apt.conf", apt));
  PENSTOCK_TRY(WritePrivate(directory / "auth.conf", AptLogins(host)));
  PENSTOCK_TRY(WritePrivate(directory / "mirrors", mirrors));
  return config;
}

}  // namespace penstock::image
