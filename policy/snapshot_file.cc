#include "reeve/policy/snapshot_file.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/snapshot_image.h"
#include "reeve/engine/text.h"
#include "reeve/policy/unicode.h"
#include "reeve/policy/yaml_limits.h"
#include "reeve/policy/yaml_scanner.h"
#include "reeve/policy/yaml_tree.h"

namespace reeve {
namespace {

// The first byte is not UTF-8, and who changes line ends on the way changes the last two.
constexpr std::string_view kMagic = "\x89REEVE\r\n";
constexpr uint32_t kVersion = 4;
constexpr size_t kDigestBytes = 32;
// The header: behind kMagic the version, how many files there are, the sizes of the rules and of
// the files, the digests of these two, and that of what is before it.
constexpr size_t kVersionAt = 8;
constexpr size_t kFileCountAt = 12;
constexpr size_t kRulesSizeAt = 16;
constexpr size_t kFilesSizeAt = 24;
constexpr size_t kRulesDigestAt = 32;
constexpr size_t kFilesDigestAt = kRulesDigestAt + kDigestBytes;
constexpr size_t kDigestAt = kFilesDigestAt + kDigestBytes;
constexpr size_t kHeaderBytes = kSnapshotHeaderBytes;
static_assert(kHeaderBytes == kDigestAt + kDigestBytes);
constexpr size_t kPartHeaderBytes = 16;
constexpr size_t kLeastNodeBytes = 3;
constexpr size_t kSignerBytes = crypto_sign_PUBLICKEYBYTES;
constexpr size_t kSignatureBytes = crypto_sign_BYTES;
constexpr size_t kMaxNameBytes = 4096;
// What is signed is this and the digest, so that no signature of anything else is one of a set.
constexpr std::string_view kSigned = "reeve snapshot file 1\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Without it libsodium computes the same, slowly. What fails is its source of random numbers, of
// which there is no need here.
void FindFastestHash() { static_cast<void>(sodium_init() == 0); }

void Put32(uint64_t value, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

void Put64(uint64_t value, std::string* out) {
  Put32(value, out);
  Put32(value >> 32, out);
}

uint32_t Get32(const char* at) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(at);
  return bytes[0] | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
}

uint64_t Get64(const char* at) { return Get32(at) | uint64_t{Get32(at + 4)} << 32; }

std::array<unsigned char, kDigestBytes> DigestOf(std::string_view bytes) {
  std::array<unsigned char, kDigestBytes> digest;
  crypto_generichash(digest.data(), digest.size(), Bytes(bytes), bytes.size(), nullptr, 0);
  return digest;
}

std::string SignedText(std::string_view digest) { return std::string(kSigned).append(digest); }

void AppendPart(const SnapshotPart& part, std::string* out) {
  const YamlTree& tree = part.yaml->tree();
  Put32(part.name.size(), out);
  Put32(part.text->size(), out);
  Put32(tree.decoded.size(), out);
  std::string nodes;
  int64_t begin = 0;
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const YamlTreeNode& node = tree.nodes[i];
    AppendSigned(node.begin - begin, &nodes);
    begin = node.begin;
    AppendSigned(node.text_or_end - (node.IsScalar() ? begin : static_cast<int64_t>(i)), &nodes);
    AppendVarint(node.type | uint64_t{node.size} << 3, &nodes);
  }
  Put32(nodes.size(), out);
  out->append(part.name).append(*part.text).append(tree.decoded).append(nodes);
}

// Whether `from` and `by` come to an offset.
bool Move(uint32_t from, int64_t by, uint32_t* to) {
  if (by < -int64_t{UINT32_MAX} || by > int64_t{UINT32_MAX}) return false;
  const int64_t moved = from + by;
  *to = static_cast<uint32_t>(moved);
  return moved >= 0 && moved <= int64_t{UINT32_MAX};
}

// Whether `text` can be cut at `at`: no character is divided.
bool IsBoundary(std::string_view text, size_t at) {
  return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
}

// Whether escapes of a file could have made `text`.
bool IsDecodedText(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    char32_t code_point;
    const size_t length = DecodeUtf8(text.substr(at), &code_point);
    if (length == 0 || FaultOf(code_point) != CharacterFault::kNone) return false;
    at += length;
  }
  return true;
}

// Finds whether the nodes of a tree, whose texts are there, have the form that yaml_tree.h tells.
// One thread at a time.
class TreeChecker {
 public:
  TreeChecker(const YamlTree& tree, const YamlLimits& limits) : tree_(tree), limits_(limits) {}

  bool Check() {
    const size_t count = tree_.nodes.size();
    uint32_t begin = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const YamlTreeNode& node = tree_.nodes[i];
      if (node.begin < begin || node.begin > tree_.source.size()) return false;
      begin = node.begin;
      if (!IsBoundary(tree_.source, begin)) return false;
      const bool is_key = !open_.empty() && open_.back().mapping && open_.back().left % 2 == 0;
      if (!open_.empty() && open_.back().left-- == 0) return false;
      if (node.IsScalar() ? !CheckScalar(node, is_key) : is_key || !Open(node, i)) return false;
      while (!open_.empty() && open_.back().end == i + 1) {
        if (open_.back().left != 0 || !CheckKeys()) return false;
        open_.pop_back();
      }
      if (open_.empty() && i + 1 != count) return false;
    }
    return open_.empty() && count > 0;
  }

 private:
  struct Collection {
    uint32_t end;
    bool mapping;
    uint64_t left;     // Nodes that are still to come, not counting what is in them.
    size_t first_key;  // Of keys_.
  };

  bool CheckScalar(const YamlTreeNode& node, bool is_key) {
    const size_t in_source = tree_.source.size();
    const bool verbatim = node.text_or_end < in_source;
    const std::string_view from = verbatim ? tree_.source : tree_.decoded;
    const size_t at = verbatim ? node.text_or_end : node.text_or_end - in_source;
    if (at > from.size() || node.size > from.size() - at) return false;
    if (node.size > limits_.max_scalar_bytes) return false;
    if (!IsBoundary(from, at) || !IsBoundary(from, at + node.size)) return false;
    if (!is_key) return true;
    const std::string_view text = tree_.Text(node);
    if (text.size() > limits_.max_key_bytes || tree_.IsNull(node)) return false;
    keys_.push_back(text);
    return true;
  }

  bool Open(const YamlTreeNode& node, uint32_t index) {
    const bool mapping = node.type == YamlTreeNode::kMapping;
    if (!mapping && node.type != YamlTreeNode::kSequence) return false;
    const size_t limit = open_.empty() ? tree_.nodes.size() : open_.back().end;
    if (node.text_or_end <= index || node.text_or_end > limit) return false;
    if (open_.size() == static_cast<size_t>(limits_.max_depth)) return false;
    open_.push_back(
        {node.text_or_end, mapping, uint64_t{node.size} * (mapping ? 2 : 1), keys_.size()});
    return true;
  }

  // Of the collection that ends.
  bool CheckKeys() {
    const auto first = keys_.begin() + static_cast<ptrdiff_t>(open_.back().first_key);
    std::sort(first, keys_.end());
    if (std::adjacent_find(first, keys_.end()) != keys_.end()) return false;
    keys_.erase(first, keys_.end());
    return true;
  }

  const YamlTree& tree_;
  const YamlLimits& limits_;
  std::vector<Collection> open_;
  std::vector<std::string_view> keys_;  // Of the mappings that are open.
};

// Reads one snapshot file. One thread at a time.
class Reader {
 public:
  // Of the files in it, none of which is then asked for, `left_out` bytes are not in `file`, which
  // is all or nothing.
  Reader(const SourceFile& file, const LoadLimits& limits, size_t left_out = 0)
      : file_(file), limits_(limits), left_out_(left_out) {}

  // Returns what is wrong; empty if nothing is. Then the others may be called.
  std::string Read() {
    const std::string_view bytes = file_.text;
    if (bytes.size() < kFileCountAt) return Damaged("it is cut short");
    if (const uint32_t version = Get32(&bytes[kVersionAt]); version != kVersion) {
      return absl::StrCat("is of version ", version, ", and this program reads version ", kVersion,
                          "; compile it again");
    }
    if (bytes.size() < kHeaderBytes) return Damaged("it is cut short");
    const std::string_view digest = DigestAt(kDigestAt);
    if (!Matches(bytes.substr(0, kDigestAt), digest)) return Damaged("its digest does not match");
    file_count_ = Get32(&bytes[kFileCountAt]);
    const uint64_t rules = Get64(&bytes[kRulesSizeAt]);
    const uint64_t files = Get64(&bytes[kFilesSizeAt]);
    const uint64_t rest = bytes.size() - kHeaderBytes + left_out_;
    if (rules > rest || files > rest - rules || (left_out_ != 0 && left_out_ != files)) {
      return Damaged("it is cut short");
    }
    rules_ = bytes.substr(kHeaderBytes, rules);
    parts_bytes_ = bytes.substr(kHeaderBytes + rules, files - left_out_);
    const std::string_view signature = bytes.substr(kHeaderBytes + rules + parts_bytes_.size());
    if (!signature.empty() && signature.size() != kSignerBytes + kSignatureBytes) {
      return Damaged("it has not the length that it states");
    }
    if (file_count_ == 0) return Damaged("it holds no file");
    if (file_count_ > limits_.max_files) {
      return absl::StrCat("holds more than ", limits_.max_files, " files");
    }
    // What the rules may be goes by it, where the files are not looked at.
    if (file_count_ > files / kPartHeaderBytes) return Damaged(kFileCut);
    return CheckSignature(digest, signature);
  }

  size_t file_count() const { return file_count_; }

  // The same, each of what it looks at. Then files() and unpacked() are what the set holds, in the
  // same order;
  std::string ReadFiles() {
    // Of the rules, too: whoever takes the files of a set may compare them.
    if (!Matches(rules_, DigestAt(kRulesDigestAt)) ||
        !Matches(parts_bytes_, DigestAt(kFilesDigestAt))) {
      return Damaged("its digest does not match");
    }
    std::vector<Part> parts;
    if (std::string wrong = ReadParts(&parts); !wrong.empty()) return wrong;
    for (const Part& part : parts) {
      if (std::string wrong = ReadTree(part); !wrong.empty()) return wrong;
    }
    return "";
  }
  // or the schemas that its rules are held to, which go to *image, empty if it holds none of this
  // version of Reeve. That there are none is no fault.
  std::string ReadRules(std::string_view* image) {
    *image = {};
    if (!Matches(rules_, DigestAt(kRulesDigestAt))) return Damaged("its digest does not match");
    if (rules_.size() < sizeof(uint32_t)) return rules_.empty() ? "" : Damaged(kRulesCut);
    const uint32_t schemas = Get32(rules_.data());
    std::string_view rest = rules_.substr(sizeof(uint32_t));
    std::vector<Part> parts;
    for (uint32_t i = 0; i < schemas; ++i) {
      Part part;
      if (std::string wrong = TakePart(parts, &rest, &part); !wrong.empty()) return wrong;
      parts.push_back(std::move(part));
    }
    if (!CanDecodeSnapshot(rest)) return "";
    for (const Part& part : parts) {
      if (std::string wrong = ReadTree(part); !wrong.empty()) return wrong;
    }
    *image = rest;
    return "";
  }
  // Behind the two: what they say as bytes.
  std::string_view rules() const { return rules_; }
  std::vector<SourceFile>& files() { return files_; }
  std::vector<UnpackedFile>& unpacked() { return unpacked_; }

 private:
  struct Part {
    std::string name;
    std::string_view text;
    std::string_view decoded;
    std::string_view nodes;
    std::string_view programs;
  };

  static std::string Damaged(std::string_view why) {
    return absl::StrCat("is damaged: ", std::string(why), "; compile it again");
  }

  // `signature` is the key, then the signature; empty if there is none.
  std::string CheckSignature(std::string_view digest, std::string_view signature) const {
    if (signature.empty()) {
      return limits_.trusted_keys != nullptr ? "is not signed, and only what a trusted key has "
                                               "signed may be loaded; sign it by "
                                               "`reeve compile --sign`"
                                             : "";
    }
    PolicyKey signer;
    std::memcpy(signer.data(), signature.data(), signer.size());
    const std::string text = SignedText(digest);
    if (crypto_sign_verify_detached(Bytes(signature.substr(kSignerBytes)), Bytes(text), text.size(),
                                    signer.data()) != 0) {
      return Damaged("its signature is not that of the key that it names");
    }
    if (limits_.trusted_keys != nullptr &&
        std::find(limits_.trusted_keys->begin(), limits_.trusted_keys->end(), signer) ==
            limits_.trusted_keys->end()) {
      return absl::StrCat(
          "is signed by the key ",
          absl::BytesToHexString({reinterpret_cast<const char*>(signer.data()), signer.size()}),
          ", which is not trusted; sign it by one that is, or trust this one");
    }
    return "";
  }

  static constexpr std::string_view kFileCut = "a file in it is cut short";
  static constexpr std::string_view kRulesCut = "the rules in it are cut short";

  std::string_view DigestAt(size_t at) const {
    return std::string_view(file_.text).substr(at, kDigestBytes);
  }
  static bool Matches(std::string_view bytes, std::string_view digest) {
    const auto made = DigestOf(bytes);
    return std::memcmp(made.data(), digest.data(), made.size()) == 0;
  }

  std::string ReadParts(std::vector<Part>* parts) const {
    std::string_view rest = parts_bytes_;
    for (uint32_t i = 0; i < file_count_; ++i) {
      Part part;
      if (std::string wrong = TakePart(*parts, &rest, &part); !wrong.empty()) return wrong;
      parts->push_back(std::move(part));
    }
    for (Part& part : *parts) {
      const uint64_t size = rest.size() < 4 ? UINT64_MAX : uint64_t{Get32(rest.data())};
      if (size > rest.size() - std::min<size_t>(rest.size(), 4)) {
        return Damaged("the conditions in it are cut short");
      }
      part.programs = rest.substr(4, size);
      rest.remove_prefix(4 + size);
    }
    return rest.empty() ? "" : Damaged("bytes are left over");
  }

  // Takes the one that stands behind `before` from *rest.
  std::string TakePart(const std::vector<Part>& before, std::string_view* rest, Part* part) const {
    if (rest->size() < kPartHeaderBytes) return Damaged(kFileCut);
    const uint64_t name_size = Get32(&(*rest)[0]);
    const uint64_t text_size = Get32(&(*rest)[4]);
    const uint64_t decoded_size = Get32(&(*rest)[8]);
    const uint64_t nodes = Get32(&(*rest)[12]);
    rest->remove_prefix(kPartHeaderBytes);
    if (name_size + text_size + decoded_size + nodes > rest->size()) return Damaged(kFileCut);
    const auto take = [rest](size_t size) {
      const std::string_view taken = rest->substr(0, size);
      rest->remove_prefix(size);
      return taken;
    };
    part->name = take(name_size);
    if (part->name.empty() || part->name.size() > kMaxNameBytes ||
        HasControlCharacter(part->name) || (!before.empty() && part->name <= before.back().name)) {
      return Damaged("the names in it are wrong");
    }
    part->text = take(text_size);
    part->decoded = take(decoded_size);
    part->nodes = take(nodes);
    const size_t most = YamlLimitsOf(limits_).max_bytes;
    if (part->text.size() > most || part->decoded.size() > kYamlTreeMaxBytes) {
      return absl::StrCat("holds `", part->name, "`, which is longer than ", most, " bytes");
    }
    return "";
  }

  static YamlLimits YamlLimitsOf(const LoadLimits& limits) {
    YamlLimits yaml;
    yaml.max_bytes = std::min(limits.max_file_bytes, kYamlTreeMaxBytes);
    return yaml;
  }

  std::string ReadTree(const Part& part) {
    const auto& [name, text, decoded, nodes, programs] = part;
    const YamlLimits limits = YamlLimitsOf(limits_);
    auto tree = std::make_unique<YamlTree>();
    tree->source = text;
    if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      tree->source.erase(0, kByteOrderMark.size());
    }
    tree->decoded = decoded;
    tree->nodes.reserve(std::min(nodes.size() / kLeastNodeBytes, limits.max_nodes));
    ByteReader in(nodes);
    for (YamlTreeNode node = {}; in.rest() > 0;) {
      if (tree->nodes.size() == limits.max_nodes) {
        return absl::StrCat("holds `", name, "`, which has more than ", limits.max_nodes, " nodes");
      }
      int64_t to_begin = 0, to_text = 0;
      uint64_t last = 0;
      if (!in.Signed(&to_begin) || !in.Signed(&to_text) || !in.Number(UINT32_MAX, &last)) break;
      node.type = last & 7;
      node.size = static_cast<uint32_t>(last >> 3);
      if (!Move(node.begin, to_begin, &node.begin) ||
          !Move(node.IsScalar() ? node.begin : static_cast<uint32_t>(tree->nodes.size()), to_text,
                &node.text_or_end)) {
        in.Fail("an offset is out of range");
        break;
      }
      tree->nodes.push_back(node);
    }
    YamlFindings findings(1);
    if (!in.ok() || !CheckCharacters(tree.get(), &findings) || !findings.empty() ||
        !IsDecodedText(decoded) || !TreeChecker(*tree, limits).Check()) {
      return Damaged(absl::StrCat("`", name, "` in it is none that can be read"));
    }
    files_.push_back({absl::StrCat(file_.name, "/", name), std::string(text)});
    unpacked_.push_back({YamlDocument(std::move(tree)), std::string(programs)});
    return "";
  }

  const SourceFile& file_;
  const LoadLimits& limits_;
  const size_t left_out_;
  uint32_t file_count_ = 0;
  // Of file_.
  std::string_view rules_;
  std::string_view parts_bytes_;
  std::vector<SourceFile> files_;
  std::vector<UnpackedFile> unpacked_;
};

void Report(const std::string& file, std::string message, std::vector<Issue>* issues) {
  issues->push_back({Issue::Severity::kError, file, {}, std::move(message)});
}

// `image` is what the reader of `file` found in it.
SnapshotRules RulesAt(std::string_view image, const Reader& reader, SourceFile file) {
  SnapshotRules rules;
  rules.file = std::move(file.name);
  rules.files = reader.file_count();
  rules.at = static_cast<size_t>(image.data() - file.text.data());
  rules.size = image.size();
  rules.bytes = std::move(file.text);
  return rules;
}

}  // namespace

bool IsSnapshotFile(std::string_view bytes) { return bytes.substr(0, kMagic.size()) == kMagic; }

std::string EncodeSnapshotFile(std::vector<SnapshotPart> parts, std::string_view image,
                               const uint8_t* signing_key) {
  FindFastestHash();
  std::sort(parts.begin(), parts.end(),
            [](const SnapshotPart& a, const SnapshotPart& b) { return a.name < b.name; });
  std::string rules;
  std::string files;
  uint32_t schemas = 0;
  for (const SnapshotPart& part : parts) schemas += part.is_schema ? 1 : 0;
  if (!image.empty()) {
    Put32(schemas, &rules);
    for (const SnapshotPart& part : parts) {
      if (part.is_schema) AppendPart(part, &rules);
    }
    rules += image;
  }
  for (const SnapshotPart& part : parts) AppendPart(part, &files);
  for (const SnapshotPart& part : parts) {
    Put32(part.programs.size(), &files);
    files += part.programs;
  }
  std::string bytes(kMagic);
  Put32(kVersion, &bytes);
  Put32(parts.size(), &bytes);
  Put64(rules.size(), &bytes);
  Put64(files.size(), &bytes);
  for (const std::string& section : {std::cref(rules), std::cref(files), std::cref(bytes)}) {
    const auto digest = DigestOf(section);
    bytes.append(digest.begin(), digest.end());
  }
  bytes.reserve(bytes.size() + rules.size() + files.size() + kSignerBytes + kSignatureBytes);
  bytes.append(rules).append(files);
  if (signing_key == nullptr) return bytes;
  const std::string text = SignedText(std::string_view(bytes).substr(kDigestAt, kDigestBytes));
  PolicyKey signer;
  crypto_sign_ed25519_sk_to_pk(signer.data(), signing_key);
  std::array<unsigned char, kSignatureBytes> signature;
  crypto_sign_detached(signature.data(), nullptr, Bytes(text), text.size(), signing_key);
  bytes.append(signer.begin(), signer.end());
  bytes.append(signature.begin(), signature.end());
  return bytes;
}

void UnpackSnapshotFiles(const LoadLimits& limits, std::vector<SourceFile>* files,
                         UnpackedFiles* unpacked, std::vector<Issue>* issues,
                         SnapshotRules* rules) {
  FindFastestHash();
  const bool alone = files->size() == 1;
  std::vector<SourceFile> plain;
  bool said_unsigned = false;
  for (SourceFile& file : *files) {
    if (!IsSnapshotFile(file.text)) {
      if (limits.trusted_keys == nullptr) {
        plain.push_back(std::move(file));
      } else if (!std::exchange(said_unsigned, true)) {
        Report(file.name,
               "is not signed, and only what a trusted key has signed may be loaded; compile and "
               "sign the set by `reeve compile --sign`",
               issues);
      }
      continue;
    }
    Reader reader(file, limits);
    std::string wrong = reader.Read();
    std::string_view image;
    if (wrong.empty() && rules != nullptr && alone) wrong = reader.ReadRules(&image);
    const bool take_rules = !image.empty();
    if (wrong.empty() && !take_rules) wrong = reader.ReadFiles();
    if (!wrong.empty()) {
      Report(file.name, std::move(wrong), issues);
      continue;
    }
    for (size_t i = 0; i < reader.files().size(); ++i) {
      const std::string& name = reader.files()[i].name;
      if (!unpacked->try_emplace(name, std::move(reader.unpacked()[i])).second) {
        Report(name, "is given twice", issues);
        continue;
      }
      plain.push_back(std::move(reader.files()[i]));
    }
    if (take_rules) *rules = RulesAt(image, reader, std::move(file));
    file.text = std::string();
  }
  *files = std::move(plain);
  if (unpacked->empty()) return;
  // A file that is none of a snapshot file must not be taken for one.
  std::vector<std::string_view> names;
  for (const SourceFile& file : *files) names.push_back(file.name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    Report(std::string(*twice), "is given twice", issues);
    files->clear();
  }
}

std::optional<SnapshotEnds> SnapshotEndsOf(std::string_view header) {
  if (header.size() < kHeaderBytes || !IsSnapshotFile(header) ||
      Get32(&header[kVersionAt]) != kVersion) {
    return std::nullopt;
  }
  const uint64_t rules = Get64(&header[kRulesSizeAt]);
  const uint64_t files = Get64(&header[kFilesSizeAt]);
  if (rules > UINT64_MAX / 4 || files > UINT64_MAX / 4) return std::nullopt;
  return SnapshotEnds{kHeaderBytes + rules, kHeaderBytes + rules + files};
}

bool UnpackSnapshotRules(SourceFile file, size_t left_out, const LoadLimits& limits,
                         std::vector<SourceFile>* files, UnpackedFiles* unpacked,
                         SnapshotRules* rules) {
  FindFastestHash();
  Reader reader(file, limits, left_out);
  std::string_view image;
  if (!reader.Read().empty() || !reader.ReadRules(&image).empty() || image.empty()) return false;
  *files = std::move(reader.files());
  for (size_t i = 0; i < files->size(); ++i) {
    unpacked->try_emplace((*files)[i].name, std::move(reader.unpacked()[i]));
  }
  *rules = RulesAt(image, reader, std::move(file));
  return true;
}

std::string RulesOf(const SourceFile& file, const LoadLimits& limits) {
  Reader reader(file, limits);
  if (!IsSnapshotFile(file.text) || !reader.Read().empty()) return "";
  std::string_view image;
  const bool has_fault = !reader.ReadRules(&image).empty();
  return has_fault || !image.empty() ? std::string(reader.rules()) : "";
}

bool AreEqual(const YamlDocument& a, const YamlDocument& b) {
  const auto same = [](const YamlTreeNode& x, const YamlTreeNode& y) {
    return x.begin == y.begin && x.text_or_end == y.text_or_end && x.type == y.type &&
           x.size == y.size;
  };
  const YamlTree& left = a.tree();
  const YamlTree& right = b.tree();
  return left.source == right.source && left.decoded == right.decoded &&
         std::equal(left.nodes.begin(), left.nodes.end(), right.nodes.begin(), right.nodes.end(),
                    same);
}

}  // namespace reeve
