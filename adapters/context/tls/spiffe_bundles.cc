#include "reeve/adapters/context/tls/spiffe_bundles.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/tls/certificate_chain.h"
#include "reeve/adapters/context/watched_file.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Store = std::shared_ptr<X509_STORE>;

absl::Status AtLine(int line, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(":", line, ": ", absl::string_view(what.data(), what.size())));
}

// The certificate of one block of PEM; null if it is not just that.
Certificate CertificateFromPem(std::string_view block) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(block.data(), static_cast<int>(block.size())), &BIO_free);
  if (bio == nullptr) throw std::bad_alloc();
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  const bool read = PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1;
  const absl::Cleanup free_all = [&] {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  };
  // Headers say that it is encrypted, or nothing that is meant here.
  if (!read || *header != '\0') return nullptr;
  return CertificateFrom({reinterpret_cast<const char*>(data), static_cast<size_t>(size)});
}

absl::Status AddAuthority(std::string_view block, int line, X509_STORE* store) {
  const Certificate certificate = CertificateFromPem(block);
  if (certificate == nullptr) {
    return AtLine(line, "this is no certificate in PEM; write the file anew");
  }
  const uint32_t flags = X509_get_extension_flags(certificate.get());
  if ((flags & EXFLAG_INVALID) != 0 || (flags & EXFLAG_CA) == 0) {
    // A store believes what is in it, so a workload's would speak for itself.
    return AtLine(line, "the certificate is not that of an authority; put only those here");
  }
  if (X509_STORE_add_cert(store, certificate.get()) != 1) throw std::bad_alloc();
  return absl::OkStatus();
}

absl::StatusOr<Store> ParseBundle(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  if (text.size() > kMaxBundleFileBytes) {
    return AtLine(1, absl::StrCat("the file has more than ", kMaxBundleFileBytes, " bytes"));
  }
  const ErrorQueueMark mark;
  Store store(X509_STORE_new(), X509_STORE_free);
  if (store == nullptr) throw std::bad_alloc();
  // An authority here need not be a root.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  size_t count = 0;
  int line_number = 0;
  int block_line = 0;  // 0 outside of one.
  size_t block_start = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++line_number;
    if (block_line != 0) {
      if (line == kEnd) {
        if (++count > kMaxBundleCertificates) {
          return AtLine(block_line, absl::StrCat("there are more than ", kMaxBundleCertificates,
                                                 " certificates"));
        }
        absl::Status status =
            AddAuthority(text.substr(block_start, end - block_start), block_line, store.get());
        if (!status.ok()) return status;
        block_line = 0;
      } else if (line.substr(0, 5) == "-----") {
        return AtLine(block_line, "the certificate does not end; write the file anew");
      }
    } else if (line == kBegin) {
      block_line = line_number;
      block_start = start;
    } else if (!line.empty() && line[0] != '#') {
      return AtLine(line_number,
                    "only certificates in PEM, empty lines and comments (`#`) may stand here");
    }
    start = end + 1;
  }
  if (block_line != 0)
    return AtLine(block_line, "the certificate does not end; write the file anew");
  if (count == 0) return AtLine(1, "the file has no certificate; put the domain's authorities in");
  return store;
}

absl::Status CheckStore(std::string_view trust_domain, X509_STORE* store) {
  if (store == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("the store of `", Printable(trust_domain), "` is null"));
  }
  return CheckRevocation(store);
}

}  // namespace

// The authorities of one trust domain: given once, or of a file.
class SpiffeBundles::Bundle {
 public:
  explicit Bundle(Store store) : store_(std::move(store)) {}
  Bundle(std::string path, const BundleFileOptions& options)
      : max_age_(options.max_age),
        file_(std::in_place, std::move(path), kMaxBundleFileBytes, options.check_interval,
              ParseBundle) {}

  absl::StatusOr<Store> Find(absl::Time now) {
    if (!file_.has_value()) return store_;
    auto state = file_->Look(now);
    if (now < state.good + max_age_) return std::move(state.value);
    return MakeContextError(
        ContextError::kNoCredentials,
        absl::StrCat("the authorities were last read at ",
                     absl::FormatTime(absl::RFC3339_sec, state.good, absl::UTCTimeZone()),
                     ", too long ago: ", state.error.message()));
  }

  absl::Status Read(absl::Time now) {
    return file_.has_value() ? file_->Read(now) : absl::OkStatus();
  }

  // Nothing if there is no file.
  std::optional<State> state(const std::string& trust_domain) const {
    if (!file_.has_value()) return std::nullopt;
    auto state = file_->state();
    return State{trust_domain, file_->path(), state.good, state.checked, std::move(state.error)};
  }

 private:
  const Store store_;  // Null if there is a file.
  const absl::Duration max_age_;
  std::optional<WatchedFile<X509_STORE>> file_;
};

SpiffeBundles::SpiffeBundles() = default;
SpiffeBundles::~SpiffeBundles() = default;

absl::Status SpiffeBundles::CheckNew(std::string_view trust_domain) const {
  const std::string uri = absl::StrCat("spiffe://", std::string(trust_domain));
  const std::optional<SpiffeId> id = ParseSpiffeId(uri);
  if (!id.has_value() || !id->path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", Printable(trust_domain), "` is no trust domain; write its name alone: `example.org`"));
  }
  if (bundles_.find(trust_domain) != bundles_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the trust domain `", Printable(trust_domain), "` is there twice"));
  }
  return absl::OkStatus();
}

absl::Status SpiffeBundles::Add(std::string_view trust_domain, X509_STORE* store) {
  if (absl::Status status = CheckNew(trust_domain); !status.ok()) return status;
  if (absl::Status status = CheckStore(trust_domain, store); !status.ok()) return status;
  X509_STORE_up_ref(store);
  bundles_.emplace(trust_domain, std::make_unique<Bundle>(Store(store, X509_STORE_free)));
  return absl::OkStatus();
}

absl::Status SpiffeBundles::AddFile(std::string_view trust_domain, std::string path,
                                    const BundleFileOptions& options, absl::Time now) {
  if (absl::Status status = CheckNew(trust_domain); !status.ok()) return status;
  if (path.empty()) return absl::InvalidArgumentError("the path of a bundle is empty");
  if (options.check_interval < absl::ZeroDuration() || options.max_age <= options.check_interval) {
    return absl::InvalidArgumentError("check_interval is negative, or max_age is not above it");
  }
  auto bundle = std::make_unique<Bundle>(std::move(path), options);
  if (absl::Status status = bundle->Read(now); !status.ok()) return status;
  bundles_.emplace(trust_domain, std::move(bundle));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<X509_STORE>> SpiffeBundles::Find(std::string_view trust_domain,
                                                                absl::Time now) const {
  if (bundles_.empty()) {
    return MakeContextError(ContextError::kNoCredentials,
                            "this program believes no trust domain; add one to SpiffeBundles");
  }
  const auto it = bundles_.find(trust_domain);
  if (it == bundles_.end()) {
    return MakeContextError(ContextError::kMechanism,
                            absl::StrCat("the peer's SPIFFE ID is of the trust domain `",
                                         Printable(trust_domain), "`, which is not believed"));
  }
  return it->second->Find(now);
}

absl::Status SpiffeBundles::Reload(absl::Time now) {
  absl::Status first;
  for (const auto& [trust_domain, bundle] : bundles_) first.Update(bundle->Read(now));
  return first;
}

std::vector<SpiffeBundles::State> SpiffeBundles::states() const {
  std::vector<State> states;
  for (const auto& [trust_domain, bundle] : bundles_) {
    if (auto state = bundle->state(trust_domain)) states.push_back(*std::move(state));
  }
  return states;
}

}  // namespace reeve
