#include "reeve/adapters/context/seal/key_ring.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/ring_keys.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using seal_internal::FileStamp;
using seal_internal::HexOf;
using seal_internal::KeyFile;
using seal_internal::KeyText;
using seal_internal::KeyTextWriter;
using seal_internal::Readers;
using seal_internal::RingKeys;
using RingKeysPtr = std::shared_ptr<const RingKeys>;

constexpr char kFormat[] = "reeve-keys";
// "key 0123456789abcdef 2026-11-20T09:00:00Z 2026-11-20T09:00:00Z " and 44 of Base64.
constexpr size_t kLineBytes = 64 + 44;
static_assert(KeyRing::kMaxKeys * kLineBytes + 64 < seal_internal::kMaxKeyFileBytes);

absl::Time ToSecond(absl::Time time) {
  return absl::FromUnixSeconds(absl::ToUnixSeconds(time));  // Rounded down.
}

RingKeysPtr MakeKeys(std::vector<RingKeys::Key> keys, SecretMemory secrets) {
  std::stable_sort(keys.begin(), keys.end(), [](const RingKeys::Key& a, const RingKeys::Key& b) {
    return a.seals_from < b.seals_from;
  });
  return std::make_shared<const RingKeys>(std::move(keys), std::move(secrets));
}

// `old` but the key `without`, if that is not null, and with a new one, if `added` is not.
absl::StatusOr<RingKeysPtr> Changed(const RingKeys& old, const RingKeys::Key* without,
                                    RingKeys::Key* added, SecretMemory::Lock lock) {
  const size_t count = old.keys().size() - (without != nullptr) + (added != nullptr);
  absl::StatusOr<SecretMemory> secrets = SecretMemory::Create(count * RingKeys::kKeyBytes, lock);
  if (!secrets.ok()) return secrets.status();
  std::vector<RingKeys::Key> keys;
  const auto place_of = [&](size_t number) {
    return secrets->data() + number * RingKeys::kKeyBytes;
  };
  for (const RingKeys::Key& key : old.keys()) {
    if (&key == without) continue;
    std::memcpy(place_of(keys.size()), old.SecretOf(key), RingKeys::kKeyBytes);
    keys.push_back({key.id, key.created, key.seals_from, keys.size()});
  }
  if (added != nullptr) {
    added->number = keys.size();
    uint8_t* const secret = place_of(added->number);
    randombytes_buf(secret, RingKeys::kKeyBytes);
    added->id = seal_internal::KeyIdOf({secret, RingKeys::kKeyBytes});
    keys.push_back(*added);
  }
  return MakeKeys(std::move(keys), *std::move(secrets));
}

absl::StatusOr<RingKeys::Key> NewKey(absl::Time created, absl::Time seals_from) {
  for (const auto& [time, what] : {std::pair(created, "time that the key was created"),
                                   std::pair(seals_from, "time that the key seals from")}) {
    if (absl::Status status = seal_internal::CheckKeyTime(time, what); !status.ok()) return status;
  }
  RingKeys::Key key;
  key.created = ToSecond(created);
  key.seals_from = ToSecond(seals_from);
  return key;
}

absl::StatusOr<RingKeys::Key> ParseKey(KeyText* text, uint8_t* secret) {
  if (absl::Status status = text->ReadLine("key"); !status.ok()) return status;
  const absl::StatusOr<std::string_view> id = text->ReadWord("id");
  if (!id.ok()) return id.status();
  const absl::StatusOr<absl::Time> created = text->ReadTime("time that the key was created");
  if (!created.ok()) return created.status();
  const absl::StatusOr<absl::Time> seals_from = text->ReadTime("time that the key seals from");
  if (!seals_from.ok()) return seals_from.status();
  if (absl::Status status = text->ReadKey("key", {secret, RingKeys::kKeyBytes}); !status.ok()) {
    return status;
  }
  if (absl::Status status = text->EndLine(); !status.ok()) return status;
  RingKeys::Key key;
  key.created = *created;
  key.seals_from = *seals_from;
  key.id = seal_internal::KeyIdOf({secret, RingKeys::kKeyBytes});
  if (HexOf(key.id) != *id) return text->Error("the key is not the one that has this id");
  return key;
}

absl::StatusOr<RingKeysPtr> ParseKeys(absl::Span<const uint8_t> bytes, std::string_view name,
                                      SecretMemory::Lock lock) {
  KeyText text(bytes, name);
  if (absl::Status status = text.ReadFormat(kFormat); !status.ok()) return status;
  if (text.at_end()) return text.Error("no key follows; add one");
  const auto lines = static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  if (lines > KeyRing::kMaxKeys + 1) {
    return text.Error(absl::StrCat("more than ", KeyRing::kMaxKeys,
                                   " keys follow; drop those that no longer seal"));
  }
  // A last line that does not end is read, too, as far as its error.
  absl::StatusOr<SecretMemory> secrets =
      SecretMemory::Create((lines + 1) * RingKeys::kKeyBytes, lock);
  if (!secrets.ok()) return secrets.status();
  std::vector<RingKeys::Key> keys;
  while (!text.at_end()) {
    absl::StatusOr<RingKeys::Key> key =
        ParseKey(&text, secrets->data() + keys.size() * RingKeys::kKeyBytes);
    if (!key.ok()) return key.status();
    for (const RingKeys::Key& other : keys) {
      if (other.id == key->id) {
        return text.Error(absl::StrCat("the key `", HexOf(key->id), "` is given twice; first at ",
                                       other.number + 2));
      }
    }
    key->number = keys.size();
    keys.push_back(*key);
  }
  return MakeKeys(std::move(keys), *std::move(secrets));
}

absl::StatusOr<SecretMemory> TextOf(const RingKeys& keys, SecretMemory::Lock lock,
                                    absl::Span<const uint8_t>* text) {
  absl::StatusOr<SecretMemory> memory =
      SecretMemory::Create(64 + keys.keys().size() * kLineBytes, lock);
  if (!memory.ok()) return memory.status();
  KeyTextWriter writer(&*memory);
  writer.Add(absl::StrCat(kFormat, " 1\n"));
  for (const RingKeys::Key& key : keys.keys()) {
    writer.Add(absl::StrCat("key ", HexOf(key.id), " ", seal_internal::KeyTimeText(key.created),
                            " ", seal_internal::KeyTimeText(key.seals_from), " "));
    writer.AddKey({keys.SecretOf(key), RingKeys::kKeyBytes});
    writer.Add("\n");
  }
  *text = writer.text();
  return memory;
}

absl::StatusOr<SecretMemory> NewMark() {
  if (absl::Status status = seal_internal::InitSodium(); !status.ok()) return status;
  return SecretMemory::Create(0, SecretMemory::Lock::kIfAllowed);
}

}  // namespace

KeyRing::KeyRing(SecretMemory mark, SecretMemory::Lock lock, RingKeysPtr keys)
    : mark_(std::move(mark)), lock_(lock), keys_(std::move(keys)) {}

KeyRing::~KeyRing() = default;

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Generate(absl::Time now,
                                                           SecretMemory::Lock lock) {
  absl::StatusOr<SecretMemory> mark = NewMark();
  if (!mark.ok()) return mark.status();
  absl::StatusOr<RingKeys::Key> key = NewKey(now, now);
  if (!key.ok()) return key.status();
  absl::StatusOr<RingKeysPtr> keys = Changed(RingKeys({}, SecretMemory()), nullptr, &*key, lock);
  if (!keys.ok()) return keys.status();
  return std::unique_ptr<KeyRing>(new KeyRing(*std::move(mark), lock, *std::move(keys)));
}

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Parse(absl::Span<const uint8_t> text,
                                                        std::string_view name,
                                                        SecretMemory::Lock lock) {
  absl::StatusOr<SecretMemory> mark = NewMark();
  if (!mark.ok()) return mark.status();
  absl::StatusOr<RingKeysPtr> keys = ParseKeys(text, name, lock);
  if (!keys.ok()) return keys.status();
  return std::unique_ptr<KeyRing>(new KeyRing(*std::move(mark), lock, *std::move(keys)));
}

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Load(const std::string& path,
                                                       SecretMemory::Lock lock) {
  const absl::StatusOr<KeyFile> file = ReadKeyFile(path, Readers::kOwner, lock);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::unique_ptr<KeyRing>> ring = Parse(file->text.span(), path, lock);
  if (!ring.ok()) return ring.status();
  const MutexLock lock_changes((*ring)->change_mutex_);
  (*ring)->path_ = path;
  (*ring)->stamp_ = file->stamp;
  return ring;
}

absl::Status KeyRing::CheckHere() const {
  if (mark_.here()) return absl::OkStatus();
  return MakeContextError(ContextError::kWrongTarget,
                          "the key ring is that of the process that this one was forked from; load "
                          "it after fork()");
}

absl::StatusOr<RingKeysPtr> KeyRing::Current() const {
  // Before the lock, which in a child may be held by a thread that is not there.
  if (absl::Status status = CheckHere(); !status.ok()) return status;
  const MutexLock lock(keys_mutex_);
  return keys_;
}

void KeyRing::Put(RingKeysPtr keys) {
  const MutexLock lock(keys_mutex_);
  keys_.swap(keys);  // The old ones go when the lock is given back.
}

absl::Status KeyRing::Reload() {
  if (absl::Status status = CheckHere(); !status.ok()) return status;
  const MutexLock lock(change_mutex_);
  if (!stamp_.has_value()) {
    return absl::FailedPreconditionError("the key ring has no file; load it or save it first");
  }
  if (const std::optional<FileStamp> now = seal_internal::StampOf(path_);
      now.has_value() && *now == *stamp_) {
    return absl::OkStatus();
  }
  const absl::StatusOr<KeyFile> file = ReadKeyFile(path_, Readers::kOwner, lock_);
  if (!file.ok()) return file.status();
  absl::StatusOr<RingKeysPtr> keys = ParseKeys(file->text.span(), path_, lock_);
  if (!keys.ok()) return keys.status();
  stamp_ = file->stamp;
  Put(*std::move(keys));
  return absl::OkStatus();
}

absl::StatusOr<std::string> KeyRing::Add(absl::Time created, absl::Time seals_from) {
  if (absl::Status status = CheckHere(); !status.ok()) return status;
  absl::StatusOr<RingKeys::Key> key = NewKey(created, seals_from);
  if (!key.ok()) return key.status();
  const MutexLock lock(change_mutex_);
  const absl::StatusOr<RingKeysPtr> old = Current();
  if (!old.ok()) return old.status();
  if ((*old)->keys().size() >= kMaxKeys) {
    return MakeContextError(
        ContextError::kResourceExhausted,
        absl::StrCat("the key ring has ", kMaxKeys, " keys, and no room for more; drop old ones"));
  }
  absl::StatusOr<RingKeysPtr> keys = Changed(**old, nullptr, &*key, lock_);
  if (!keys.ok()) return keys.status();
  Put(*std::move(keys));
  return HexOf(key->id);
}

absl::Status KeyRing::Drop(std::string_view id) {
  if (absl::Status status = CheckHere(); !status.ok()) return status;
  const MutexLock lock(change_mutex_);
  const absl::StatusOr<RingKeysPtr> old = Current();
  if (!old.ok()) return old.status();
  const RingKeys::Key* dropped = nullptr;
  for (const RingKeys::Key& key : (*old)->keys()) {
    if (HexOf(key.id) == id) dropped = &key;
  }
  if (dropped == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("the key ring has no key `", Printable(id), "`; list them"));
  }
  if ((*old)->keys().size() == 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("`", Printable(id), "` is the last key of the ring; add another first"));
  }
  absl::StatusOr<RingKeysPtr> keys = Changed(**old, dropped, nullptr, lock_);
  if (!keys.ok()) return keys.status();
  Put(*std::move(keys));
  return absl::OkStatus();
}

absl::Status KeyRing::Save(const std::string& path, ExistingFile existing) {
  if (absl::Status status = CheckHere(); !status.ok()) return status;
  const MutexLock lock(change_mutex_);
  if (stamp_.has_value() && path == path_ && existing == ExistingFile::kReplace) {
    const std::optional<FileStamp> now = seal_internal::StampOf(path);
    if (now.has_value() && !(*now == *stamp_)) {
      return absl::FailedPreconditionError(absl::StrCat(
          Printable(path), ": was changed since it was read; reload it and make the change again"));
    }
  }
  const absl::StatusOr<RingKeysPtr> keys = Current();
  if (!keys.ok()) return keys.status();
  absl::Span<const uint8_t> text;
  const absl::StatusOr<SecretMemory> memory = TextOf(**keys, lock_, &text);
  if (!memory.ok()) return memory.status();
  const absl::StatusOr<FileStamp> stamp = WriteKeyFile(path, text, Readers::kOwner, existing);
  if (!stamp.ok()) return stamp.status();
  path_ = path;
  stamp_ = *stamp;
  return absl::OkStatus();
}

std::vector<KeyRing::KeyInfo> KeyRing::Keys(absl::Time now) const {
  std::vector<KeyInfo> infos;
  const auto keys = Current();
  if (!keys.ok()) return infos;
  const RingKeys::Key* const sealing = (*keys)->SealingAt(now);
  for (const RingKeys::Key& key : (*keys)->keys()) {
    infos.push_back({HexOf(key.id), key.created, key.seals_from, &key == sealing});
  }
  return infos;
}

}  // namespace reeve
