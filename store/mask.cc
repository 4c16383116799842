#include "reeve/store/mask.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr size_t kMaxReplacementBytes = 256;
constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kHashBytes = 16;
constexpr char kHashWord[] = "hash:";
// Of what every record must have, where the hash of it fails.
constexpr char kDropped[] = "masked";

// What a part is: whether each record has it, and whether it can only be left out.
struct PartName {
  const char* path;
  MaskedPart part;
  bool required = false;
  bool remove_only = false;
};

constexpr PartName kParts[] = {
    {"principal.id", MaskedPart::kPrincipalId, /*required=*/true},
    {"principal.host", MaskedPart::kHost},
    {"principal.actor", MaskedPart::kActor},
    {"principal.evidence", MaskedPart::kEvidence},
    {"principal.groups", MaskedPart::kGroups},
    {"principal.parents", MaskedPart::kPrincipalParents},
    {"action", MaskedPart::kAction, /*required=*/true},
    {"resource.id", MaskedPart::kResourceId, /*required=*/true},
    {"resource.parents", MaskedPart::kResourceParents},
    {"message", MaskedPart::kMessage, false, /*remove_only=*/true},
    {"obligations", MaskedPart::kObligations, false, /*remove_only=*/true},
    {"error", MaskedPart::kError, false, /*remove_only=*/true},
    {"principal.attributes", MaskedPart::kPrincipalAttributes, false, /*remove_only=*/true},
    {"resource.attributes", MaskedPart::kResourceAttributes, false, /*remove_only=*/true},
    {"context", MaskedPart::kContext, false, /*remove_only=*/true},
};
static_assert(sizeof(kParts) / sizeof(kParts[0]) == kMaskedPartCount, "a part has no path");

bool IsMap(MaskedPart part) {
  return part == MaskedPart::kPrincipalAttributes || part == MaskedPart::kResourceAttributes ||
         part == MaskedPart::kContext;
}

bool IsRequired(MaskedPart part) {
  return std::any_of(std::begin(kParts), std::end(kParts),
                     [part](const PartName& name) { return name.part == part && name.required; });
}

// The names of a path behind its part. False if one is empty, or a backslash stands alone.
bool SplitNames(std::string_view path, std::vector<std::string>* names) {
  if (path.empty()) return true;
  // It begins with a dot.
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '.') {
      if (i > 0 && names->back().empty()) return false;
      names->emplace_back();
    } else if (path[i] != '\\') {
      names->back() += path[i];
    } else if (++i < path.size() && (path[i] == '.' || path[i] == '\\')) {
      names->back() += path[i];
    } else {
      return false;
    }
  }
  return !names->back().empty();
}

// The part that `path` leads into, and the rest of it; null if it leads nowhere.
const PartName* FindPart(std::string_view path, std::string_view* rest) {
  const PartName* found = nullptr;
  for (const PartName& part : kParts) {
    const std::string_view name = part.path;
    const bool whole = path == name;
    const bool into = IsMap(part.part) && path.size() > name.size() &&
                      path.substr(0, name.size()) == name && path[name.size()] == '.';
    if (!whole && !into) continue;
    found = &part;
    *rest = path.substr(name.size());
  }
  return found;
}

absl::Status Wrong(const AuditMask& mask, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("the mask of `", Printable(mask.path), "` ", why));
}

}  // namespace

absl::StatusOr<std::string> ReadMaskKey(const std::string& path) {
  const std::string name = Printable(path, 1000);
  const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0) {
    if (errno == ELOOP) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, ": is a symbolic link; name the file itself"));
    }
    return absl::UnavailableError(
        absl::StrCat(name, ": cannot open the key of masks: ", std::strerror(errno)));
  }
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(name, ": is not a regular file; name one"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, ": others than its owner may read or write the key of masks; give it mode 0600"));
  }
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrCat(name, ": the key of masks belongs to uid ",
                                                      info.st_uid, "; give it to root or to uid ",
                                                      geteuid()));
  }
  std::string key(kMaxMaskKeyBytes + 1, '\0');
  const ssize_t size = read(file, key.data(), key.size());
  if (size < 0) {
    return absl::UnavailableError(
        absl::StrCat(name, ": cannot read the key of masks: ", std::strerror(errno)));
  }
  if (static_cast<size_t>(size) < kMinMaskKeyBytes ||
      static_cast<size_t>(size) > kMaxMaskKeyBytes) {
    sodium_memzero(key.data(), key.size());
    return absl::InvalidArgumentError(absl::StrCat(name, ": a key of masks has ", kMinMaskKeyBytes,
                                                   " to ", kMaxMaskKeyBytes, " bytes"));
  }
  key.resize(size);
  return key;
}

const MaskSet::Node* MaskSet::Node::Find(std::string_view child) const {
  const auto found =
      std::lower_bound(children.begin(), children.end(), child,
                       [](const Node& node, std::string_view name) { return node.name < name; });
  return found == children.end() || found->name != child ? nullptr : &*found;
}

MaskSet::Node& MaskSet::Node::Add(std::string_view child) {
  auto place =
      std::lower_bound(children.begin(), children.end(), child,
                       [](const Node& node, std::string_view name) { return node.name < name; });
  if (place == children.end() || place->name != child) {
    place = children.insert(place, Node());
    place->name = std::string(child);
  }
  return *place;
}

absl::StatusOr<std::unique_ptr<const MaskSet>> MaskSet::Create(const std::vector<AuditMask>& masks,
                                                               std::string key) {
  static const int initialized = sodium_init();  // Must come before the rest.
  static_cast<void>(initialized);
  std::unique_ptr<MaskSet> set(new MaskSet());
  set->key_ = std::move(key);
  if (masks.size() > kMaxMasks) {
    return absl::InvalidArgumentError(
        absl::StrCat("the audit store has more than ", kMaxMasks, " masks"));
  }
  if (!set->key_.empty() &&
      (set->key_.size() < kMinMaskKeyBytes || set->key_.size() > kMaxMaskKeyBytes)) {
    return absl::InvalidArgumentError(absl::StrCat("`mask_key` of the audit store has not ",
                                                   kMinMaskKeyBytes, " to ", kMaxMaskKeyBytes,
                                                   " bytes"));
  }
  // These are also noted where no mask names them.
  set->paths_ = {"error", "message", "obligations"};
  for (const AuditMask& mask : masks) set->paths_.push_back(mask.path);
  std::sort(set->paths_.begin(), set->paths_.end());
  set->paths_.erase(std::unique(set->paths_.begin(), set->paths_.end()), set->paths_.end());
  const auto number_of = [&set](std::string_view path) {
    return static_cast<PathNumber>(std::lower_bound(set->paths_.begin(), set->paths_.end(), path) -
                                   set->paths_.begin());
  };
  set->parts_.fill(kNoPath);
  for (const MaskedPart part :
       {MaskedPart::kMessage, MaskedPart::kObligations, MaskedPart::kError}) {
    set->parts_[static_cast<size_t>(part)] = number_of(kParts[static_cast<size_t>(part)].path);
  }

  for (const AuditMask& mask : masks) {
    std::string_view rest;
    const PartName* const part = FindPart(mask.path, &rest);
    std::vector<std::string> names;
    if (part == nullptr || mask.path.size() > kMaxPathBytes || HasControlCharacter(mask.path) ||
        !SplitNames(rest, &names) || names.size() > kMaxValueDepth) {
      return Wrong(mask,
                   "leads to nothing that a record has; write `principal.id`, "
                   "`resource.attributes.NAME`, `context.NAME`");
    }
    if (part->part == MaskedPart::kContext && names.size() == 1 && names[0] == "time") {
      return Wrong(mask, "is of the time, which a record must have");
    }
    if (part->required && mask.kind == AuditMask::Kind::kRemove) {
      return Wrong(mask, "removes what every record must have; replace or hash it");
    }
    if (part->remove_only && names.empty() && mask.kind != AuditMask::Kind::kRemove) {
      return Wrong(mask, "is of what can only be removed");
    }
    const bool replaces = mask.kind == AuditMask::Kind::kReplace;
    if (replaces ? mask.text.empty() || mask.text.size() > kMaxReplacementBytes ||
                       HasControlCharacter(mask.text)
                 : !mask.text.empty()) {
      return Wrong(mask, replaces ? "replaces by a text that is empty, too long or malformed"
                                  : "has a text and does not replace by it");
    }
    Mask made;
    made.kind = mask.kind;
    made.text = mask.text;
    made.path = number_of(mask.path);
    if (mask.rule != "any") {
      absl::StatusOr<Glob> rule = Glob::Parse(mask.rule);
      if (mask.rule.empty() || !rule.ok() || rule->binds()) {
        return Wrong(mask, "names no rules; write `any`, the id of a rule, or a glob of ids");
      }
      made.rule = *std::move(rule);
    }
    const auto at = static_cast<size_t>(part->part);
    if (IsMap(part->part)) {
      Node* node = &set->roots_[at];
      for (const std::string& name : names) node = &node->Add(name);
      node->path = made.path;
    } else {
      set->parts_[at] = made.path;
    }
    set->masks_.push_back(std::move(made));
  }
  return std::unique_ptr<const MaskSet>(std::move(set));
}

MaskSet::~MaskSet() { sodium_memzero(key_.data(), key_.size()); }

RecordMask::RecordMask(const MaskSet& masks, const Decision& decision) : masks_(masks) {
  const auto names = [](const Glob& rule, Decision::Rules rules) {
    return std::any_of(rules.begin(), rules.end(),
                       [&rule](const RuleOutcome& outcome) { return rule.Matches(outcome.id()); });
  };
  for (const MaskSet::Mask& mask : masks.masks_) {
    const Decision* const shadow = decision.shadow();
    if (mask.rule.has_value() && !names(*mask.rule, decision.rules()) &&
        !names(*mask.rule, decision.near_misses()) && !names(*mask.rule, decision.shadow_rules()) &&
        (shadow == nullptr || !names(*mask.rule, shadow->rules()))) {
      continue;
    }
    active_ = true;
    const Action action = mask.kind == AuditMask::Kind::kRemove    ? Action::kRemove
                          : mask.kind == AuditMask::Kind::kReplace ? Action::kReplace
                                                                   : Action::kHash;
    State& state = states_[mask.path];
    if (action <= state.action) continue;
    state.action = action;
    state.text = &mask.text;
  }
}

RecordMask::State* RecordMask::StateOf(MaskSet::PathNumber path) {
  if (path == MaskSet::kNoPath || states_[path].action == Action::kKeep) return nullptr;
  return &states_[path];
}

std::string_view RecordMask::HashText(std::string_view head, std::string_view bytes) {
  crypto_generichash_state state;
  std::array<unsigned char, kHashBytes> hash;
  crypto_generichash_init(&state, reinterpret_cast<const unsigned char*>(masks_.key_.data()),
                          masks_.key_.size(), hash.size());
  for (const std::string_view part : {head, bytes}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  crypto_generichash_final(&state, hash.data(), hash.size());
  sodium_memzero(&state, sizeof state);
  const size_t word = sizeof(kHashWord) - 1;
  static_assert(sizeof(kHashWord) + 2 * kHashBytes <= 40, "a hash does not fit");
  std::memcpy(hash_.data(), kHashWord, word);
  sodium_bin2hex(hash_.data() + word, hash_.size() - word, hash.data(), hash.size());
  return {hash_.data(), word + 2 * kHashBytes};
}

std::string_view RecordMask::Text(MaskedPart part, std::string_view text) {
  State* const state = StateOf(masks_.parts_[static_cast<size_t>(part)]);
  if (state == nullptr || text.empty()) return text;
  switch (state->action) {
    case Action::kKeep:
      return text;
    case Action::kRemove:
      state->done = Done::kRemoved;
      return {};
    case Action::kReplace:
      state->done = Done::kReplaced;
      return *state->text;
    case Action::kHash:
      break;
  }
  if (masks_.key_.empty()) {
    state->done = Done::kFailed;
    return IsRequired(part) ? std::string_view(kDropped) : std::string_view();
  }
  state->done = Done::kHashed;
  // As AppendValue() writes a string, so that texts and strings of one content have one hash.
  std::array<char, 11> head;
  size_t size = 0;
  head[size++] = static_cast<char>(Value::Kind::kString);
  uint64_t rest = text.size();
  for (; rest >= 0x80; rest >>= 7) head[size++] = static_cast<char>(rest | 0x80);
  head[size++] = static_cast<char>(rest);
  return HashText({head.data(), size}, text);
}

size_t RecordMask::Items(MaskedPart part, size_t size) {
  State* const state = StateOf(masks_.parts_[static_cast<size_t>(part)]);
  if (state == nullptr || size == 0) return size;
  if (state->action == Action::kReplace) return 1;
  if (state->action == Action::kHash && !masks_.key_.empty()) return size;
  state->done = state->action == Action::kHash ? Done::kFailed : Done::kRemoved;
  return 0;
}

void RecordMask::Remove(MaskedPart part) {
  states_[masks_.parts_[static_cast<size_t>(part)]].done = Done::kRemoved;
}

// Whether nothing stands for a value with that path.
bool RecordMask::Drops(MaskSet::PathNumber path) {
  const State* const state = StateOf(path);
  return state != nullptr && (state->action == Action::kRemove ||
                              (state->action == Action::kHash && masks_.key_.empty()));
}

bool RecordMask::AppendMap(MaskedPart part, const Attributes& map, std::string* out) {
  const MaskSet::Node& root = masks_.roots_[static_cast<size_t>(part)];
  if (map.empty()) return true;
  if (State* const state = StateOf(root.path); state != nullptr) {
    state->done = Done::kRemoved;
    return true;
  }
  if (root.children.empty()) return AppendAttributes(map, out);
  const size_t before = out->size();
  // Then the walk below is bounded, and only the size is left to be seen to.
  if (!DefectOf(map).empty()) return false;
  if (AppendMapIn(root, map, /*is_field=*/true, out) &&
      out->size() - before <= kMaxAttributesBytes) {
    return true;
  }
  out->resize(before);
  return false;
}

bool RecordMask::AppendMapIn(const MaskSet::Node& node, const Attributes& map, bool is_field,
                             std::string* out) {
  size_t size = map.size();
  for (const MaskSet::Node& child : node.children) {
    if (!Drops(child.path) || map.Find(child.name) == nullptr) continue;
    State& state = states_[child.path];
    state.done = state.action == Action::kRemove ? Done::kRemoved : Done::kFailed;
    --size;
  }
  if (size == 0 && is_field) return true;  // An empty field is written as nothing.
  AppendVarint(size, out);
  for (const auto& [name, value] : map) {
    const MaskSet::Node* const child = node.Find(name);
    if (child != nullptr && Drops(child->path)) continue;
    AppendSized(name, out);
    if (child == nullptr) {
      if (!AppendValue(value, out)) return false;
    } else if (State* const state = StateOf(child->path); state != nullptr) {
      if (!AppendMasked(state, value, out)) return false;
    } else if (!AppendValueIn(*child, value, out)) {
      return false;
    }
  }
  return true;
}

// A value of which something within may be masked.
bool RecordMask::AppendValueIn(const MaskSet::Node& node, const Value& value, std::string* out) {
  if (value.kind() == Value::Kind::kMap) {
    out->push_back(static_cast<char>(value.kind()));
    return AppendMapIn(node, value.map_value(), /*is_field=*/false, out);
  }
  if (value.kind() != Value::Kind::kList) return AppendValue(value, out);
  out->push_back(static_cast<char>(value.kind()));
  AppendVarint(value.list_value().size(), out);
  for (const Value& element : value.list_value()) {
    if (!AppendValueIn(node, element, out)) return false;
  }
  return true;
}

// A string that stands for `value`.
bool RecordMask::AppendMasked(State* state, const Value& value, std::string* out) {
  std::string_view text;
  if (state->action == Action::kReplace) {
    state->done = Done::kReplaced;
    text = *state->text;
  } else {
    state->done = Done::kHashed;
    const size_t before = out->size();
    if (!AppendValue(value, out)) return false;
    text = HashText({}, std::string_view(*out).substr(before));
    sodium_memzero(out->data() + before, out->size() - before);
    out->resize(before);
  }
  out->push_back(static_cast<char>(Value::Kind::kString));
  AppendSized(text, out);
  return true;
}

void RecordMask::AppendDone(std::string* out) const {
  static constexpr const char* kWords[] = {"", "remove", "replace", "hash", "failed"};
  const size_t count = std::count_if(states_.begin(), states_.end(), [](const State& state) {
    return state.done != Done::kNothing;
  });
  if (count == 0) return;
  AppendVarint(count, out);
  for (size_t i = 0; i < masks_.paths_.size(); ++i) {
    if (states_[i].done == Done::kNothing) continue;
    AppendSized(masks_.paths_[i], out);
    out->push_back(static_cast<char>(Value::Kind::kString));
    AppendSized(kWords[static_cast<size_t>(states_[i].done)], out);
  }
}

}  // namespace reeve
