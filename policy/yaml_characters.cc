// CheckCharacters().
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"
#include "reeve/policy/unicode.h"
#include "reeve/policy/yaml_scanner.h"

namespace reeve {
namespace {

// The bytes that need no look: printable ASCII and tab.
constexpr std::array<bool, 256> kOrdinary = [] {
  std::array<bool, 256> table = {};
  for (int c = 0x20; c < 0x7F; ++c) table[static_cast<size_t>(c)] = true;
  table['\t'] = true;
  return table;
}();

// UTF-16 and UTF-32, with a byte order mark or recognised by the NUL beside the first character.
std::string_view OtherEncoding(std::string_view source) {
  using namespace std::string_view_literals;  // NOLINT: for the NULs in the literals.
  const auto begins = [&](std::string_view mark) { return source.substr(0, mark.size()) == mark; };
  if (begins("\xFF\xFE\0\0"sv) || begins("\0\0\xFE\xFF"sv) || begins("\0\0\0"sv)) return "UTF-32";
  if (begins("\xFF\xFE"sv) || begins("\xFE\xFF"sv)) return "UTF-16";
  if (source.size() >= 2 && (source[0] == '\0') != (source[1] == '\0')) return "UTF-16";
  return {};
}

// True if one of the lines that git writes around two versions it cannot merge stands at `at`.
bool IsConflictMarker(std::string_view source, size_t at) {
  const char c = source[at];
  if (c != '<' && c != '=' && c != '>' && c != '|') return false;
  size_t behind = at;
  while (behind < source.size() && source[behind] == c) ++behind;
  return behind - at == 7 && (behind == source.size() || source[behind] == ' ' ||
                              source[behind] == '\n' || source[behind] == '\r');
}

}  // namespace

bool CheckCharacters(YamlTree* tree, YamlFindings* findings) {
  const std::string_view source = tree->source;
  if (const std::string_view encoding = OtherEncoding(source); !encoding.empty()) {
    findings->Add(
        0, absl::StrCat("the file looks like ", absl::string_view(encoding.data(), encoding.size()),
                        "; save it as UTF-8"));
    return false;
  }
  bool ok = true;
  bool ascii = true;
  bool said_not_utf8 = false;  // One is enough to tell the author which encoding is wrong.
  bool said_lone_return = false;
  bool in_conflict = false;
  const auto check_line_start = [&](size_t at) {
    if (at >= source.size() || !IsConflictMarker(source, at)) return;
    ok = false;
    // A conflict is three or four such lines; the first says it.
    if (source[at] == '<' || !in_conflict) {
      findings->Add(at, absl::StrCat(Quoted(source.substr(at, 7)),
                                     " is left from a merge conflict; resolve it, then remove "
                                     "the marker lines"));
    }
    in_conflict = source[at] != '>';
  };
  check_line_start(0);
  for (size_t at = 0; at < source.size();) {
    const auto byte = static_cast<unsigned char>(source[at]);
    if (kOrdinary[byte]) {
      ++at;
      continue;
    }
    if (byte == '\n') {
      ++at;
      tree->lines.AddLine(at);
      check_line_start(at);
      continue;
    }
    if (byte == '\r') {
      if (at + 1 < source.size() && source[at + 1] == '\n') {
        ++at;
        continue;
      }
      ok = false;
      if (!said_lone_return) {
        findings->Add(at, "carriage return without a line feed; end lines with a line feed");
      }
      said_lone_return = true;
      ++at;
      continue;
    }
    char32_t code_point;
    const size_t length = DecodeUtf8(source.substr(at), &code_point);
    if (length == 0) {
      ok = false;
      if (!said_not_utf8) {
        findings->Add(at, absl::StrCat("byte 0x", absl::Hex(byte, absl::kZeroPad2),
                                       " is not valid UTF-8 here; save the file as UTF-8"));
      }
      said_not_utf8 = true;
      ascii = false;
      ++at;
      continue;
    }
    if (length > 1) ascii = false;
    switch (FaultOf(code_point)) {
      case CharacterFault::kControl:
        ok = false;
        findings->Add(at,
                      absl::StrCat("control character ", CodePointName(code_point), "; remove it"));
        break;
      case CharacterFault::kHidden:
        findings->Add(
            at, code_point == 0xFEFF
                    ? "hidden character U+FEFF, a byte order mark, is not at the start "
                      "of the file; remove it"
                    : absl::StrCat("hidden character ", CodePointName(code_point), "; remove it"));
        break;
      case CharacterFault::kNone:
        break;
    }
    at += length;
  }
  if (!ascii) tree->lines.CountCodePoints(source);
  return ok;
}

}  // namespace reeve
