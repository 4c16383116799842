#include "reeve/adapters/context/seal/host_key.h"

#include <sodium.h>
#include <string.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using seal_internal::KeyFile;
using seal_internal::KeyText;
using seal_internal::KeyTextWriter;
using seal_internal::Readers;

static_assert(sizeof(PublicKey) == crypto_sign_PUBLICKEYBYTES);
static_assert(crypto_sign_SECRETKEYBYTES == 64 && crypto_sign_SEEDBYTES == 32);
static_assert(crypto_box_SECRETKEYBYTES == 32);

constexpr char kPrivateFormat[] = "reeve-host-key";
constexpr char kPublicFormat[] = "reeve-host-public-key";
constexpr size_t kMaxNameBytes = 253;

// What HostKey keeps: the signing key as crypto_sign(3) has it, which is the seed and the public
// key; the opening key.
constexpr size_t kOpeningAt = 64;
constexpr size_t kSecretBytes = 96;

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// The lines that both files begin with.
absl::Status ParseHead(std::string_view format, KeyText* text, std::string* name,
                       absl::Time* created) {
  if (absl::Status status = text->ReadFormat(format); !status.ok()) return status;
  if (absl::Status status = text->ReadLine("name"); !status.ok()) return status;
  const absl::StatusOr<std::string_view> word = text->ReadWord("name");
  if (!word.ok()) return word.status();
  if (!IsName(*word)) {
    return text->Error("the name is not 1 to 253 of a-z, A-Z, 0-9, `.`, `_` and `-`");
  }
  if (absl::Status status = text->EndLine(); !status.ok()) return status;
  if (absl::Status status = text->ReadLine("created"); !status.ok()) return status;
  const absl::StatusOr<absl::Time> time = text->ReadTime("time of creation");
  if (!time.ok()) return time.status();
  *name = std::string(*word);
  *created = *time;
  return text->EndLine();
}

absl::Status ParseKeyLine(std::string_view word, KeyText* text, absl::Span<uint8_t> out) {
  if (absl::Status status = text->ReadLine(word); !status.ok()) return status;
  if (absl::Status status = text->ReadKey("key", out); !status.ok()) return status;
  return text->EndLine();
}

absl::Status ParseEnd(const KeyText& text) {
  if (text.at_end()) return absl::OkStatus();
  return text.Error("more follows this line, which must be the last");
}

std::string HeadText(std::string_view format, const HostPublicKey& key) {
  return absl::StrCat(absl::string_view(format.data(), format.size()), " 1\nname ", key.name,
                      "\ncreated ", seal_internal::KeyTimeText(key.created), "\n");
}

// Fills in the public keys of those in `secret`, of which the first 32 bytes are the seed.
void Complete(SecretMemory* secret, HostPublicKey* key) {
  uint8_t* const signing = secret->data();
  // It writes the seed where it reads it from: so not from there.
  uint8_t seed[crypto_sign_SEEDBYTES];
  std::memcpy(seed, signing, sizeof(seed));
  crypto_sign_seed_keypair(key->signing.data(), signing, seed);
  explicit_bzero(seed, sizeof(seed));
  crypto_scalarmult_base(key->opening.data(), secret->data() + kOpeningAt);
}

}  // namespace

std::string HostPublicKey::id() const {
  return seal_internal::HexOf(seal_internal::KeyIdOf(signing));
}

absl::StatusOr<HostPublicKey> HostPublicKey::Load(const std::string& path) {
  // It is no secret.
  const absl::StatusOr<KeyFile> file =
      ReadKeyFile(path, Readers::kAnybody, SecretMemory::Lock::kIfAllowed);
  if (!file.ok()) return file.status();
  const auto* const text = reinterpret_cast<const char*>(file->text.data());
  return Parse({text, file->text.size()}, path);
}

absl::StatusOr<HostPublicKey> HostPublicKey::Parse(std::string_view bytes,
                                                   std::string_view file_name) {
  if (absl::Status status = seal_internal::InitSodium(); !status.ok()) return status;
  KeyText text(seal_internal::AsBytes(bytes), file_name);
  HostPublicKey key;
  absl::Status status = ParseHead(kPublicFormat, &text, &key.name, &key.created);
  if (!status.ok()) return status;
  status = ParseKeyLine("signing", &text, absl::MakeSpan(key.signing));
  if (!status.ok()) return status;
  status = ParseKeyLine("opening", &text, absl::MakeSpan(key.opening));
  if (!status.ok()) return status;
  status = ParseEnd(text);
  if (!status.ok()) return status;
  return key;
}

std::string HostPublicKey::ToText() const {
  std::string text = HeadText(kPublicFormat, *this);
  for (const auto& [word, key] :
       {std::pair("signing ", &signing), std::pair("opening ", &opening)}) {
    char encoded[48];
    sodium_bin2base64(encoded, sizeof(encoded), key->data(), key->size(),
                      sodium_base64_VARIANT_ORIGINAL);
    absl::StrAppend(&text, word, encoded, "\n");
  }
  return text;
}

absl::Status HostPublicKey::Save(const std::string& path, ExistingFile existing) const {
  return WriteKeyFile(path, seal_internal::AsBytes(ToText()), Readers::kAnybody, existing).status();
}

absl::StatusOr<std::unique_ptr<HostKey>> HostKey::Generate(std::string_view name,
                                                           absl::Time created,
                                                           SecretMemory::Lock lock) {
  if (!IsName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(name),
                     "` cannot name a host; give 1 to 253 of a-z, A-Z, 0-9, `.`, `_` and `-`"));
  }
  if (absl::Status status = seal_internal::CheckKeyTime(created, "time of creation");
      !status.ok()) {
    return status;
  }
  if (absl::Status status = seal_internal::InitSodium(); !status.ok()) return status;
  absl::StatusOr<SecretMemory> secret = SecretMemory::Create(kSecretBytes, lock);
  if (!secret.ok()) return secret.status();
  randombytes_buf(secret->data(), secret->size());
  HostPublicKey key;
  key.name = std::string(name);
  key.created = absl::FromUnixSeconds(absl::ToUnixSeconds(created));
  Complete(&*secret, &key);
  return std::unique_ptr<HostKey>(new HostKey(*std::move(secret), std::move(key)));
}

absl::StatusOr<std::unique_ptr<HostKey>> HostKey::Load(const std::string& path,
                                                       SecretMemory::Lock lock) {
  const absl::StatusOr<KeyFile> file = ReadKeyFile(path, Readers::kOwner, lock);
  if (!file.ok()) return file.status();
  return Parse(file->text.span(), path, lock);
}

absl::StatusOr<std::unique_ptr<HostKey>> HostKey::Parse(absl::Span<const uint8_t> bytes,
                                                        std::string_view file_name,
                                                        SecretMemory::Lock lock) {
  if (absl::Status status = seal_internal::InitSodium(); !status.ok()) return status;
  absl::StatusOr<SecretMemory> secret = SecretMemory::Create(kSecretBytes, lock);
  if (!secret.ok()) return secret.status();
  KeyText text(bytes, file_name);
  HostPublicKey key;
  absl::Status status = ParseHead(kPrivateFormat, &text, &key.name, &key.created);
  if (!status.ok()) return status;
  status = ParseKeyLine("signing", &text, {secret->data(), crypto_sign_SEEDBYTES});
  if (!status.ok()) return status;
  status = ParseKeyLine("opening", &text, {secret->data() + kOpeningAt, crypto_box_SECRETKEYBYTES});
  if (!status.ok()) return status;
  status = ParseEnd(text);
  if (!status.ok()) return status;
  Complete(&*secret, &key);
  return std::unique_ptr<HostKey>(new HostKey(*std::move(secret), std::move(key)));
}

HostKey::HostKey(SecretMemory secret, HostPublicKey public_key)
    : secret_(std::move(secret)), public_key_(std::move(public_key)) {}

absl::Status HostKey::Save(const std::string& path, ExistingFile existing) const {
  if (!here()) {
    return MakeContextError(ContextError::kWrongTarget,
                            "the host key is that of the process that this one was forked from; "
                            "load it after fork()");
  }
  absl::StatusOr<SecretMemory> memory = SecretMemory::Create(1024, SecretMemory::Lock::kIfAllowed);
  if (!memory.ok()) return memory.status();
  KeyTextWriter writer(&*memory);
  writer.Add(HeadText(kPrivateFormat, public_key_));
  writer.Add("signing ");
  writer.AddKey({signing_key(), crypto_sign_SEEDBYTES});
  writer.Add("\nopening ");
  writer.AddKey({opening_key(), crypto_box_SECRETKEYBYTES});
  writer.Add("\n");
  return WriteKeyFile(path, writer.text(), Readers::kOwner, existing).status();
}

}  // namespace reeve
