#include "image/host_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/uuid.h"
#include "image/pip_config.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// A made-up host below a temporary root.
class HostConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_);
    fs::create_directories(out_);
    host_.root = root_;
    host_.environment["HOME"] = "/home/user";
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Put(const std::string& path, const std::string& text) {
    const auto file = root_ / fs::path(path).relative_path();
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  auto Write() -> HostConfig { return WriteHostConfig(host_, out_, "/mnt").value(); }
  auto Written(const std::string& name) const -> std::string {
    std::ifstream stream(out_ / name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  fs::path directory_ = fs::temp_directory_path() / ("host-" + base::NewUuidV7());
  fs::path root_ = directory_ / "root";
  fs::path out_ = directory_ / "out";
  Host host_;
};

TEST_F(HostConfigTest, TakesPipsIndexFromItsFilesInPipsOrder) {
  Put("/etc/pip.conf", "[global]\nindex-url = https://global/simple\ntimeout = 5\nuser = true\n");
  Put("/home/user/.config/pip/pip.conf", "[global]\nindex_url = https://user:secret@mine/simple\n");
  Write();
  EXPECT_THAT(Written("pip.conf"), HasSubstr("index-url = https://user:secret@mine/simple\n"));
  EXPECT_THAT(Written("pip.conf"), HasSubstr("timeout = 5\n"));
  EXPECT_THAT(Written("pip.conf"), Not(HasSubstr("user = true"))) << "is about the host's own Python";
  EXPECT_THAT(Written("env"), HasSubstr("export PIP_CONFIG_FILE='/mnt/pip.conf'\n"));
}

TEST_F(HostConfigTest, VariablesOutrankFilesAndConfigFilesCanBeSwitchedOff) {
  Put("/etc/pip.conf", "[global]\nindex-url = https://global/simple\nproxy = http://proxy:1\n");
  host_.environment["PIP_INDEX_URL"] = "https://variable/simple";
  Write();
  EXPECT_THAT(Written("pip.conf"), HasSubstr("index-url = https://variable/simple\n"));
  EXPECT_THAT(Written("pip.conf"), HasSubstr("proxy = http://proxy:1\n"));

  fs::remove_all(out_);
  fs::create_directories(out_);
  host_.environment["PIP_CONFIG_FILE"] = "/dev/null";
  Write();
  EXPECT_THAT(Written("pip.conf"), Not(HasSubstr("proxy")));
}

TEST_F(HostConfigTest, ACertificateOfTheHostBecomesThePathInTheContainer) {
  Put("/etc/pip.conf", "[global]\ncert = /etc/company.pem\n");
  Put("/etc/company.pem", "COMPANY");
  Put("/etc/ssl/certs/ca-certificates.crt", "SYSTEM\n");
  host_.environment["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt";
  Write();
  EXPECT_EQ(Written("ca.crt"), "COMPANY\nSYSTEM\n") << "each once";
  EXPECT_THAT(Written("pip.conf"), HasSubstr("cert = /mnt/ca.crt\n"));
  EXPECT_THAT(Written("env"), HasSubstr("export SSL_CERT_FILE='/mnt/ca.crt'\n"));
  EXPECT_THAT(Written("apt.conf"), HasSubstr("Acquire::https::CaInfo \"/mnt/ca.crt\";\n"));
}

TEST_F(HostConfigTest, WithoutCertificatesNobodyIsSentToAMissingFile) {
  Write();
  EXPECT_FALSE(fs::exists(out_ / "ca.crt"));
  EXPECT_THAT(Written("apt.conf"), Not(HasSubstr("CaInfo")));
  EXPECT_THAT(Written("pip.conf"), Not(HasSubstr("cert")));
}

TEST_F(HostConfigTest, PassesOnProxiesWithAllTheirCharacters) {
  host_.environment["https_proxy"] = "http://u:p'w$(x)@proxy:3128";
  Write();
  EXPECT_THAT(Written("env"), HasSubstr(R"(export https_proxy='http://u:p'\''w$(x)@proxy:3128')"));
}

TEST_F(HostConfigTest, TakesAptsTransportOptionsAndNothingElse) {
  host_.apt_options =
      "APT::Architecture \"amd64\";\nAcquire::Check-Valid-Until \"false\";\nAcquire::http::Proxy "
      "\"http://proxy:3142\";\n"
      "Acquire::https::CaInfo \"/etc/x.pem\";\nAcquire::https::SslKey \"/etc/key\";\nDir::Etc "
      "\"etc/apt\";\nAcquire::IndexTargets \"\";\n"
      "Acquire::http::Evil \"a\"; APT::Update::Pre-Invoke \"rm\";\n";
  Put("/etc/x.pem", "X");
  Write();
  const auto apt = Written("apt.conf");
  EXPECT_THAT(apt, HasSubstr("Acquire::Check-Valid-Until \"false\";\n"));
  EXPECT_THAT(apt, HasSubstr("Acquire::http::Proxy \"http://proxy:3142\";\n"));
  EXPECT_THAT(apt, Not(HasSubstr("APT::")));
  EXPECT_THAT(apt, Not(HasSubstr("/etc/")));
  EXPECT_EQ(Written("ca.crt"), "X\n");
}

TEST_F(HostConfigTest, FindsDebiansMirrorsAmongTheHostsSources) {
  host_.apt_targets =
      "https://other/linux/debian/ bookworm Docker stable\n"
      "http://mirror/debian-security/ bookworm-security Debian main\n"
      "http://mirror/debian/ bookworm Debian main\nhttp://mirror/debian/ bookworm Debian contrib\n"
      "http://mirror/debian/ bookworm-updates Debian main\n";
  Write();
  EXPECT_EQ(Written("mirrors"),
            "DEBIAN_MAIN='http://mirror/debian/'\nDEBIAN_SECURITY='http://mirror/debian-security/"
            "'\nDEBIAN_COMPONENTS='contrib main'\n");
}

TEST_F(HostConfigTest, AHostThatIsNoDebianLendsNoMirror) {
  host_.apt_targets = "http://archive/ubuntu/ jammy Ubuntu main\n";
  Write();
  EXPECT_EQ(Written("mirrors"), "");
}

TEST_F(HostConfigTest, LendsLoginsOfAptAndPip) {
  Put("/etc/apt/auth.conf", "machine a login l password p\n");
  Put("/etc/apt/auth.conf.d/b.conf", "machine b login l password p\n");
  Put("/home/user/.netrc", "machine c login l password p\n");
  Write();
  EXPECT_THAT(Written("auth.conf"), AllOf(HasSubstr("machine a"), HasSubstr("machine b")));
  EXPECT_THAT(Written("netrc"), HasSubstr("machine c"));
  EXPECT_THAT(Written("env"), HasSubstr("export NETRC='/mnt/netrc'\n"));
}

TEST_F(HostConfigTest, LocalFindLinksAreMountedAndMissingOnesLeftOut) {
  fs::create_directories(root_ / "opt/wheels");
  host_.environment["PIP_FIND_LINKS"] = "/opt/wheels /no/such https://host/links";
  const auto config = Write();
  ASSERT_EQ(config.find_links.size(), 1U);
  EXPECT_EQ(config.find_links[0].host, root_ / "opt/wheels");
  EXPECT_TRUE(fs::is_directory(out_ / config.find_links[0].name))
      << "a mount point in a read-only mount must be there before";
  EXPECT_THAT(Written("pip.conf"), HasSubstr("find-links = /mnt/find-links-0\n    https://host/links\n"));
}

TEST_F(HostConfigTest, AnIndexOrProxyOnLoopbackNeedsTheHostsNetwork) {
  EXPECT_FALSE(Write().needs_host_network);
  for (const auto& [name, value] : {std::pair{"PIP_INDEX_URL", "http://u:p@127.0.0.1:8080/simple"},
                                    {"http_proxy", "localhost:3128"},
                                    {"HTTPS_PROXY", "http://[::1]:3128"}}) {
    fs::remove_all(out_);
    fs::create_directories(out_);
    host_.environment = {{name, value}};
    EXPECT_TRUE(Write().needs_host_network) << name;
  }
}

TEST_F(HostConfigTest, EveryFileIsPrivate) {
  Put("/home/user/.netrc", "secret");
  host_.environment["PIP_INDEX_URL"] = "https://u:p@host/simple";
  Write();
  for (const auto& entry : fs::directory_iterator(out_)) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0077U, 0U) << entry.path();
  }
}

TEST(ParsePipConfig, ReadsContinuationsCommentsAndCommandSections) {
  const auto settings = ParsePipConfig(
      "# comment\n[install]\ntimeout = 9\n[global]\ntimeout: 3\nExtra-Index-URL =\n    https://a\n    https://b\n; "
      "comment\n[list]\nformat = columns\n"
      "nonsense\n[broken\nindex-url = https://lost\n");
  EXPECT_EQ(settings, (PipSettings{{"timeout", "9"}, {"extra-index-url", "https://a\nhttps://b"}}));
  EXPECT_EQ(ParsePipConfig(RenderPipConfig(settings)), settings);
}

TEST(UrlHost, FindsTheHostBehindLoginAndPort) {
  EXPECT_EQ(UrlHost("https://u:p@host.example:80/x?y@z"), "host.example");
  EXPECT_EQ(UrlHost("http://[::1]:80/"), "::1");
  EXPECT_EQ(UrlHost("host:80"), "host");
}

}  // namespace
}  // namespace penstock::image
