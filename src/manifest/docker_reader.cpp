#include "manifest/docker_reader.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "manifest/mounts.h"
#include "manifest/names.h"
#include "manifest/packages.h"
#include "manifest/scalar.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

constexpr std::uint32_t kMostProcesses = 4'194'304;    // the kernel's own limit of pid_max
constexpr std::uint32_t kMostDescriptors = 1'048'576;  // the kernel's usual limit of nr_open
// Ports take about fourteen descriptors each, and realms sit at 400 and above.
constexpr std::uint32_t kLeastDescriptors = 1024;

auto LimitFields() -> std::span<const Field<ResourceLimits>> {
  static const std::array<Field<ResourceLimits>, 4> kFields{
      Optional("memory_mb", Integer<std::uint64_t>(128, kMostMegabytes), &ResourceLimits::memory_mb,
               &ResourceLimits::memory_at),
      Optional("cpu_cores", Number(0.1, 4096), &ResourceLimits::cpu_cores, &ResourceLimits::cpu_at),
      Optional("pids", Integer<std::uint32_t>(8, kMostProcesses), &ResourceLimits::pids),
      Optional("nofile", Integer<std::uint32_t>(kLeastDescriptors, kMostDescriptors), &ResourceLimits::nofile),
  };
  return kFields;
}

/// Limits at the docker section's top level: a spelling that older manifests use.
auto FlatLimit(const Field<ResourceLimits>& field) -> Field<DockerSection> {
  return AsAlias<DockerSection>({field, [field](Report& report, const Entry& entry, DockerSection& docker) {
                                   field.read(report, entry, docker.resource_limits);
                                 }});
}

auto HostPath() -> Type<std::string> { return Text({CheckHostPath, R"(^[^~$][^$]*$)"}); }

auto VolumeType() -> Type<Volume> {
  static const std::array<Field<Volume>, 3> kFields{
      Required("host_path", HostPath(), &Volume::host_path, &Volume::host_at),
      Required("container_path", Text({CheckContainerPath, R"(^/.*[^/]$)"}), &Volume::container_path,
               &Volume::container_at),
      Optional("read_only", Boolean(), &Volume::read_only),
  };
  return Object<Volume>("a volume", kFields);
}

/// A name, or {name, file}.
auto SecretType() -> Type<Secret> {
  const auto file_name = Text({CheckSecretName, "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"});
  static const std::array<Field<Secret>, 2> kFields{
      Required("name", file_name, &Secret::name),
      Optional("file", HostPath(), &Secret::file),
  };
  const auto object = Object<Secret>("a secret", kFields);
  return {[file_name, object](Report& report, std::string_view name, const Value& value) -> std::optional<Secret> {
            if (value.kind == Value::Kind::kMapping) return object.read(report, name, value);
            auto text = file_name.read(report, name, value);
            if (!text) return std::nullopt;
            return Secret{.name = std::move(*text), .file = {}, .at = report.Source(value.at)};
          },
          EitherSchema({file_name.schema, object.schema})};
}

auto DeviceType() -> Type<Device> {
  const auto line = Text({CheckDevice, "^/dev/[^:]+(:/dev/[^:]+(:[rwm]+)?)?$"});
  return {[line](Report& report, std::string_view name, const Value& value) -> std::optional<Device> {
            const auto text = line.read(report, name, value);
            if (!text) return std::nullopt;
            auto device = ParseDevice(*text);
            device.at = report.Source(value.at);
            return device;
          },
          line.schema};
}

/// "all", how many, or a list of which.
auto GpusType() -> Type<Gpus> {
  const auto list = ListOf(TextOrNumber({CheckGpuId, "^[A-Za-z0-9-]+$"}));
  const auto number = Integer(std::int64_t{1}, std::int64_t{64});
  return {
      [list, number](Report& report, std::string_view name, const Value& value) -> std::optional<Gpus> {
        if (value.kind == Value::Kind::kScalar && value.text == "all") return Gpus{.count = Gpus::kAll, .ids = {}};
        if (value.kind == Value::Kind::kSequence) {
          auto ids = list.read(report, name, value);
          if (value.items.empty()) report.Add(value.at, "'gpus' is an empty list: remove it");
          return ids ? std::optional(Gpus{.count = 0, .ids = std::move(*ids)}) : std::nullopt;
        }
        if (value.kind != Value::Kind::kScalar || ClassifyScalar(value.text, value.quoted) != ScalarKind::kInteger) {
          ReportWrongType(report, name, "'all', how many, or a list of which", value);
          return std::nullopt;
        }
        const auto count = number.read(report, name, value);
        return count ? std::optional(Gpus{.count = *count, .ids = {}}) : std::nullopt;
      },
      EitherSchema({WordsSchema({"all"}), number.schema, WithKeywords(list.schema, {{"minItems", 1}})})};
}

auto BuildType() -> Type<ImageBuild> {
  static const std::array<Field<ImageBuild>, 2> kFields{
      Required("context", HostPath(), &ImageBuild::context),
      Optional("dockerfile", Text({CheckPathInContext, "^[^/]"}), &ImageBuild::dockerfile),
  };
  return Object<ImageBuild>("a build", kFields);
}

auto Capability() -> Type<std::string> {
  const auto name_of_one = Text({CheckCapability, "^[A-Za-z_]+$"});
  return {[name_of_one](Report& report, std::string_view name, const Value& value) -> std::optional<std::string> {
            const auto text = name_of_one.read(report, name, value);
            return text ? std::optional(NormaliseCapability(*text)) : std::nullopt;
          },
          name_of_one.schema};
}

auto SystemPackages() -> Type<std::vector<std::string>> {
  return ListOf(Text({CheckSystemPackage, "^[a-z0-9][a-z0-9+.-]+([=:][A-Za-z0-9+.~:=-]*)?$"}));
}

auto PythonVersion() -> Type<std::string> { return TextOrNumber({CheckPythonVersion, R"(^3\.(9|10|11|12|13)$)"}); }

auto SecurityType() -> Type<Security> {
  static const std::array<Field<Security>, 5> kFields{
      Optional("user", TextOrNumber({CheckUser, R"(^\d+(:\d+)?$)"}), &Security::user, &Security::user_at),
      Optional("read_only_root", Boolean(), &Security::read_only_root),
      Optional("cap_add", ListOf(Capability()), &Security::cap_add, &Security::cap_add_at),
      Optional("seccomp", HostPath(), &Security::seccomp, &Security::seccomp_at),
      Optional("apparmor", Text({CheckProfileName, "^[^ ]+$"}), &Security::apparmor),
  };
  return Object<Security>("'security'", kFields);
}

auto NetworkType() -> Type<Network> {
  return OneOf<Network>({{"none", Network::kNone}, {"bridge", Network::kBridge}, {"host", Network::kHost}});
}

auto SharingType() -> Type<Sharing> {
  return OneOf<Sharing>({{"shared", Sharing::kShared}, {"exclusive", Sharing::kExclusive}});
}

auto DockerFields() -> std::span<const Field<DockerSection>> {
  static const std::vector<Field<DockerSection>> kFields{
      Required("python_version", PythonVersion(), &DockerSection::python_version),
      Optional("base_image", Text({CheckImage, "^[A-Za-z0-9][A-Za-z0-9._/:@-]*$"}), &DockerSection::base_image),
      Optional("build", BuildType(), &DockerSection::build),
      Optional("system_dependencies", SystemPackages(), &DockerSection::system_dependencies),
      Optional("python_packages", Packages(), &DockerSection::python_packages),
      Nested("resource_limits", "'resource_limits'", LimitFields(), &DockerSection::resource_limits),
      Optional("env", Environment(), &DockerSection::env),
      Optional("env_file", HostPath(), &DockerSection::env_file, &DockerSection::env_file_at),
      Optional("secrets", ListOf(SecretType()), &DockerSection::secrets),
      Optional("volumes", ListOf(VolumeType()), &DockerSection::volumes),
      Optional("network", NetworkType(), &DockerSection::network),
      Optional("tmpfs_mb", Integer<std::uint32_t>(1, kMostMegabytes), &DockerSection::tmpfs_mb,
               &DockerSection::tmpfs_at),
      Optional("shm_size_mb", Integer<std::uint32_t>(1, kMostMegabytes), &DockerSection::shm_size_mb,
               &DockerSection::shm_size_at),
      Optional("sharing", SharingType(), &DockerSection::sharing),
      Optional("keep_warm", DurationOrZero(), &DockerSection::keep_warm),
      Optional("max_sessions_per_container", Integer<std::uint32_t>(1, 4096),
               &DockerSection::max_sessions_per_container),
      Optional("gpus", GpusType(), &DockerSection::gpus),
      Optional("devices", ListOf(DeviceType()), &DockerSection::devices),
      Optional("security", SecurityType(), &DockerSection::security),
      WithoutEffect<DockerSection>("warm", Integer(0, 1024)),
      FlatLimit(LimitFields()[0]),
      FlatLimit(LimitFields()[1]),
      AsAlias(Optional("system_packages", SystemPackages(), &DockerSection::system_dependencies)),
      AsAlias(Optional("env_vars", Environment(), &DockerSection::env)),
  };
  return kFields;
}

void ReportRepetition(Report& report, const base::SourcePosition& at, std::string_view what, std::string_view name,
                      const base::SourcePosition& first) {
  report.AddAt(at, fmt::format("{} '{}' is given twice; first at {}:{}", what, name, first.line, first.column));
}

/// Two things cannot be at one place of the container.
void CheckPlaces(Report& report, const DockerSection& docker) {
  std::map<std::string_view, const base::SourcePosition*> seen;
  const auto place = [&](std::string_view what, std::string_view name, const base::SourcePosition& at) {
    if (name.empty()) return;  // reported already
    const auto [first, is_new] = seen.emplace(name, &at);
    if (!is_new) ReportRepetition(report, at, what, name, *first->second);
  };
  for (const auto& volume : docker.volumes) place("the container's path", volume.container_path, volume.container_at);
  for (const auto& device : docker.devices) place("the container's path", device.container_path, device.at);
  seen.clear();
  for (const auto& secret : docker.secrets) place("the secret", secret.name, secret.at);
}

/// What is meant only one way, given in two.
void CheckPairs(Report& report, const Value& value, const DockerSection& docker) {
  for (const auto& [name, alias] : {std::pair{"system_dependencies", "system_packages"}, {"env", "env_vars"}}) {
    if (const auto* flat = value.Find(alias); flat != nullptr && value.Find(name) != nullptr) {
      report.Add(flat->key_at, "'{}' is another spelling of '{}', which is given too", alias, name);
    }
  }
  if (const auto* build = value.Find("build"); build != nullptr && value.Find("base_image") != nullptr) {
    report.Add(build->key_at, "'build' makes the image that 'base_image' names: give one of them");
  }
  if (docker.sharing != Sharing::kExclusive) return;
  for (const auto* key : {"max_sessions_per_container", "keep_warm"}) {
    const auto* entry = value.Find(key);
    if (entry == nullptr || (entry->key == "keep_warm" && docker.keep_warm == Duration::zero())) continue;
    report.Add(entry->key_at, "'{}' has no effect with 'sharing: exclusive', as no second session may come: remove it",
               key);
  }
}

/// What CheckPairs refuses, as a schema says it.
auto PairsSchema() -> nlohmann::json {
  auto pairs = nlohmann::json::array();
  for (const auto& [one, other] :
       {std::pair{"system_dependencies", "system_packages"}, {"env", "env_vars"}, {"build", "base_image"}}) {
    pairs.push_back({{"not", {{"required", {one, other}}}}});
  }
  return {{"allOf", pairs}};
}

}  // namespace

auto DockerType() -> Type<DockerSection> {
  return {[](Report& report, std::string_view, const Value& value) -> std::optional<DockerSection> {
            DockerSection docker;
            ReadFields(report, "'docker'", value, DockerFields(), docker);
            CheckPairs(report, value, docker);
            CheckPlaces(report, docker);
            return docker;
          },
          WithKeywords(ObjectSchema("'docker'", Rules(DockerFields())), PairsSchema())};
}

}  // namespace penstock::manifest
