// Which files are bundles, and what becomes of them when they change.
#include "reeve/adapters/context/tls/spiffe_bundles.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/socket/tls/tls_testing.h"

namespace reeve {
namespace {

using tls_testing::Credential;
using tls_testing::kNow;

std::string Pem(const Credential& credential) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, credential.certificate.get());
  char* text;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, size);
  BIO_free(bio);
  return pem;
}

std::string Text(const absl::Status& status) {
  const std::optional<ContextError> error = ContextErrorOf(status);
  return absl::StrCat(
      error.has_value() ? std::string(ToString(*error)) : absl::StatusCodeToString(status.code()),
      ": ", status.message());
}

int Size(const absl::StatusOr<std::shared_ptr<X509_STORE>>& store) {
  if (!store.ok()) return -1;
  return sk_X509_OBJECT_num(X509_STORE_get0_objects(store->get()));
}

class SpiffeBundlesTest : public ::testing::Test {
 protected:
  SpiffeBundlesTest() {
    std::string path = ::testing::TempDir() + "/bundles.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    path_ = directory_ + "/example.org.pem";
  }
  ~SpiffeBundlesTest() override {
    std::remove(path_.c_str());
    rmdir(directory_.c_str());
  }
  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0u); }

  // As one that keeps files up to date should.
  void Write(const std::string& text, mode_t mode = 0644) const {
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh) << text;
    ASSERT_EQ(chmod(fresh.c_str(), mode), 0);
    ASSERT_EQ(std::rename(fresh.c_str(), path_.c_str()), 0);
  }

  absl::Status AddFile(absl::Time now = kNow) {
    return bundles_.AddFile("example.org", path_, options_, now);
  }

  // The message with the place of the file left out.
  std::string Message(const absl::Status& status) const {
    return absl::StrReplaceAll(Text(status), {{path_, "FILE"}});
  }

  const Credential root_ = Credential::MakeAuthority("Root");
  const Credential other_ = Credential::MakeAuthority("Other");
  std::string directory_;
  std::string path_;
  BundleFileOptions options_;
  SpiffeBundles bundles_;
};

struct FileCase {
  const char* name;
  // $A and $B are two authorities, $L a workload, all in PEM; $N is the line after $A.
  std::string text;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const FileCase& c) { return os << c.name; }

class FileTest : public SpiffeBundlesTest, public ::testing::WithParamInterface<FileCase> {};

TEST_P(FileTest, IsABundleOrNot) {
  const Credential leaf = Credential::Make(tls_testing::CertificateSpec(), &root_);
  Write(absl::StrReplaceAll(GetParam().text,
                            {{"$A", Pem(root_)}, {"$B", Pem(other_)}, {"$L", Pem(leaf)}}));
  const std::string root = Pem(root_);
  const std::string want = absl::StrReplaceAll(
      GetParam().want, {{"$N", absl::StrCat(1 + std::count(root.begin(), root.end(), '\n'))}});
  const absl::Status status = AddFile();
  if (status.ok()) {
    EXPECT_EQ(absl::StrCat("ok ", Size(bundles_.Find("example.org", kNow))), want);
  } else {
    EXPECT_EQ(Message(status), want);
    EXPECT_TRUE(bundles_.empty());
  }
}

const std::string kOther =
    "only certificates in PEM, empty lines and comments (`#`) may stand here";
const std::string kNoPem = "this is no certificate in PEM; write the file anew";
const std::string kNoEnd = "the certificate does not end; write the file anew";

INSTANTIATE_TEST_SUITE_P(
    , FileTest,
    ::testing::Values(
        FileCase{"One", "$A", "ok 1"}, FileCase{"Two", "$A$B", "ok 2"},
        FileCase{"Twice", "$A$A", "ok 1"},
        FileCase{"Comments", "# The root\n\n$A\n# The next one\n$B\n", "ok 2"},
        FileCase{"Empty", "",
                 "INVALID_ARGUMENT: FILE:1: the file has no certificate; put the domain's "
                 "authorities in"},
        FileCase{"CommentsOnly", "# none\n",
                 "INVALID_ARGUMENT: FILE:1: the file has no certificate; put the domain's "
                 "authorities in"},
        FileCase{"Words", "Root\n$A", "INVALID_ARGUMENT: FILE:1: " + kOther},
        FileCase{"Space", "$A ", "INVALID_ARGUMENT: FILE:$N: " + kOther},
        FileCase{"Nul", std::string("\0\n$A", 4), "INVALID_ARGUMENT: FILE:1: " + kOther},
        FileCase{"AWorkload", "$A$L",
                 "INVALID_ARGUMENT: FILE:$N: the certificate is not that of an authority; put only "
                 "those here"},
        FileCase{"AKey", "-----BEGIN PRIVATE KEY-----\n", "INVALID_ARGUMENT: FILE:1: " + kOther},
        FileCase{"ATrustedCertificate", "-----BEGIN TRUSTED CERTIFICATE-----\n",
                 "INVALID_ARGUMENT: FILE:1: " + kOther},
        FileCase{"NoEnd", "-----BEGIN CERTIFICATE-----\nMIIB\n",
                 "INVALID_ARGUMENT: FILE:1: " + kNoEnd},
        FileCase{"BeginsAgain", "# half\n-----BEGIN CERTIFICATE-----\nMIIB\n$A",
                 "INVALID_ARGUMENT: FILE:2: " + kNoEnd},
        FileCase{"NotDer", "$A-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                 "INVALID_ARGUMENT: FILE:$N: " + kNoPem},
        FileCase{"NotBase64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
                 "INVALID_ARGUMENT: FILE:1: " + kNoPem},
        FileCase{"Nothing", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                 "INVALID_ARGUMENT: FILE:1: " + kNoPem},
        FileCase{"Headers",
                 "-----BEGIN CERTIFICATE-----\nName: x\n\nMIIB\n-----END CERTIFICATE-----\n",
                 "INVALID_ARGUMENT: FILE:1: " + kNoPem},
        FileCase{"TooLong", std::string((1 << 20) + 1, '\n'),
                 "INVALID_ARGUMENT: FILE:1: the file has more than 1048576 bytes"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(SpiffeBundlesTest, LineEndsOfDos) {
  Write(absl::StrReplaceAll(Pem(root_) + "\n" + Pem(other_), {{"\n", "\r\n"}}));
  ASSERT_EQ(AddFile(), absl::OkStatus());
  EXPECT_EQ(Size(bundles_.Find("example.org", kNow)), 2);
}

TEST_F(SpiffeBundlesTest, TooMany) {
  std::string text;
  for (int i = 0; i < 257; ++i) text += Pem(root_);
  Write(text);
  EXPECT_TRUE(absl::EndsWith(Text(AddFile()), "there are more than 256 certificates"));
}

TEST_F(SpiffeBundlesTest, OtherFiles) {
  EXPECT_EQ(Message(AddFile()), "UNAVAILABLE: FILE: cannot be read: No such file or directory");
  Write(Pem(root_), 0664);
  EXPECT_EQ(Message(AddFile()),
            "INVALID_ARGUMENT: FILE: may be written by its group or by others; chmod go-w it");
  Write(Pem(root_), 0646);
  EXPECT_EQ(Message(AddFile()),
            "INVALID_ARGUMENT: FILE: may be written by its group or by others; chmod go-w it");
  std::remove(path_.c_str());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Message(AddFile()), "INVALID_ARGUMENT: FILE: is not a regular file");
  EXPECT_EQ(Text(bundles_.AddFile("example.org", directory_, options_, kNow)),
            absl::StrCat("INVALID_ARGUMENT: ", directory_, ": is not a regular file"));
}

TEST_F(SpiffeBundlesTest, DomainsAreWellFormedAndStandOnce) {
  X509_STORE* const store = X509_STORE_new();
  for (const char* domain : {"", "spiffe://example.org", "Example.org", "example.org/", "a b"}) {
    EXPECT_EQ(Text(bundles_.Add(domain, store)),
              absl::StrCat("INVALID_ARGUMENT: `", domain,
                           "` is no trust domain; write its name alone: `example.org`"));
  }
  EXPECT_EQ(Text(bundles_.Add("example.org", nullptr)),
            "INVALID_ARGUMENT: the store of `example.org` is null");
  EXPECT_TRUE(bundles_.empty());
  EXPECT_EQ(bundles_.Add("example.org", store), absl::OkStatus());
  EXPECT_EQ(Text(bundles_.Add("example.org", store)),
            "INVALID_ARGUMENT: the trust domain `example.org` is there twice");
  Write(Pem(root_));
  EXPECT_EQ(Text(AddFile()), "INVALID_ARGUMENT: the trust domain `example.org` is there twice");
  X509_STORE_add_crl(store, tls_testing::Revoke(root_, {}).get());
  EXPECT_EQ(Text(bundles_.Add("example.net", store)),
            "INVALID_ARGUMENT: the store has revocation lists and does not use them; set "
            "X509_V_FLAG_CRL_CHECK by X509_STORE_set_flags()");
  X509_STORE_free(store);
  EXPECT_EQ(Size(bundles_.Find("example.org", kNow)), 1);
  EXPECT_EQ(Text(bundles_.Find("example.net", kNow).status()),
            "mechanism: the peer's SPIFFE ID is of the trust domain `example.net`, which is not "
            "believed");
}

TEST_F(SpiffeBundlesTest, OptionsAreChecked) {
  Write(Pem(root_));
  const std::string want =
      "INVALID_ARGUMENT: check_interval is negative, or max_age is not above it";
  options_.check_interval = -absl::Nanoseconds(1);
  EXPECT_EQ(Text(AddFile()), want);
  options_.check_interval = options_.max_age;
  EXPECT_EQ(Text(AddFile()), want);
  EXPECT_EQ(Text(bundles_.AddFile("example.org", "", BundleFileOptions(), kNow)),
            "INVALID_ARGUMENT: the path of a bundle is empty");
}

TEST_F(SpiffeBundlesTest, AFileIsReadAgainAfterItsInterval) {
  Write(Pem(root_));
  ASSERT_EQ(AddFile(), absl::OkStatus());
  const auto first = *bundles_.Find("example.org", kNow);
  Write(Pem(root_) + Pem(other_));
  EXPECT_EQ(*bundles_.Find("example.org", kNow + absl::Seconds(10) - absl::Nanoseconds(1)), first);
  EXPECT_EQ(Size(bundles_.Find("example.org", kNow + absl::Seconds(10))), 2);
  // Who has the old one keeps it.
  EXPECT_EQ(Size(first), 1);
  // The same text is the same store.
  const auto second = *bundles_.Find("example.org", kNow + absl::Seconds(10));
  Write(Pem(root_) + Pem(other_));
  EXPECT_EQ(*bundles_.Find("example.org", kNow + absl::Seconds(20)), second);
  // A clock that is set back is no reason not to look.
  Write(Pem(root_));
  EXPECT_EQ(Size(bundles_.Find("example.org", kNow)), 1);
}

TEST_F(SpiffeBundlesTest, TheLastGoodOneStaysUntilItIsTooOld) {
  Write(Pem(root_));
  ASSERT_EQ(AddFile(), absl::OkStatus());
  Write("-----BEGIN CERTIFICATE-----\nMIIB");
  EXPECT_EQ(Message(bundles_.Reload(kNow + absl::Seconds(1))),
            "INVALID_ARGUMENT: FILE:1: " + kNoEnd);
  std::vector<SpiffeBundles::State> states = bundles_.states();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].trust_domain, "example.org");
  EXPECT_EQ(states[0].path, path_);
  EXPECT_EQ(states[0].good, kNow);
  EXPECT_EQ(states[0].checked, kNow + absl::Seconds(1));
  EXPECT_EQ(Message(states[0].error), "INVALID_ARGUMENT: FILE:1: " + kNoEnd);
  const absl::Time last = kNow + absl::Hours(24) - absl::Nanoseconds(1);
  EXPECT_EQ(Size(bundles_.Find("example.org", last)), 1);
  EXPECT_EQ(Message(bundles_.Find("example.org", kNow + absl::Hours(24)).status()),
            "no_credentials: the authorities were last read at 2027-01-15T08:00:00+00:00, too long "
            "ago: FILE:1: " +
                kNoEnd);
  // It comes back.
  Write(Pem(root_) + Pem(other_));
  EXPECT_EQ(bundles_.Reload(kNow + absl::Hours(25)), absl::OkStatus());
  EXPECT_EQ(Size(bundles_.Find("example.org", kNow + absl::Hours(25))), 2);
  EXPECT_EQ(bundles_.states()[0].error, absl::OkStatus());
}

TEST_F(SpiffeBundlesTest, OneFileThatFailsDoesNotHoldUpOthers) {
  const std::string net = directory_ + "/example.net.pem";
  Write(Pem(root_));
  ASSERT_EQ(AddFile(), absl::OkStatus());
  std::ofstream(net) << Pem(root_);
  ASSERT_EQ(bundles_.AddFile("example.net", net, options_, kNow), absl::OkStatus());
  std::remove(net.c_str());
  Write(Pem(root_) + Pem(other_));
  EXPECT_EQ(bundles_.Reload(kNow).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Size(bundles_.Find("example.org", kNow)), 2);
  EXPECT_EQ(Size(bundles_.Find("example.net", kNow)), 1);
}

TEST_F(SpiffeBundlesTest, ManyThreadsFindWhileItChanges) {
  Write(Pem(root_));
  options_.check_interval = absl::ZeroDuration();
  ASSERT_EQ(AddFile(), absl::OkStatus());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 200; ++j) {
        const int size = Size(bundles_.Find("example.org", kNow));
        if (size != 1 && size != 2) ++wrong;
      }
    });
  }
  for (int j = 0; j < 50; ++j) {
    Write(j % 2 == 0 ? Pem(root_) + Pem(other_) : Pem(root_));
    bundles_.Reload(kNow).IgnoreError();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace reeve
