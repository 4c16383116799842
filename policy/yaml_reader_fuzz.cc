// Whatever the bytes: ReadYaml() returns, and what it takes is free of all that it says it refuses.
// The checks here are written from the header, naively, and share no code with the reader.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/yaml_document.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "property violated: %s\n", what);
  std::abort();
}

// The code points of `text`; fails if it is not UTF-8.
std::vector<uint32_t> CodePoints(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    Require((lead < 0x80 || lead >= 0xC0) && i + length <= text.size(), "whole sequences");
    uint32_t value = length == 1 ? lead : lead & (0x7Fu >> length);
    for (size_t j = 1; j < length; ++j) {
      const auto byte = static_cast<unsigned char>(text[i + j]);
      Require(byte >= 0x80 && byte < 0xC0, "continuation bytes");
      value = value * 64 + (byte - 0x80);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    Require(value >= least[length] && value <= 0x10FFFF, "shortest form");
    Require(value < 0xD800 || value > 0xDFFF, "no surrogates");
    out.push_back(value);
    i += length;
  }
  return out;
}

void CheckText(std::string_view text) {
  for (const uint32_t c : CodePoints(text)) {
    Require(c >= 0x20 || c == '\n' || c == '\t', "no control characters");
    Require(c < 0x7F || c > 0x9F, "no C1 control characters");
    Require(c < 0x200B || c > 0x200F, "no zero width characters");
    Require(c < 0x202A || c > 0x202E, "no overrides");
    Require(c < 0x2066 || c > 0x2069, "no isolates");
    Require(c != 0xFEFF, "no byte order marks");
  }
}

bool Before(Position a, Position b) {
  return a.line < b.line || (a.line == b.line && a.column < b.column);
}

// Walks the tree, and writes it down so that two can be compared. Recursion is bounded by the
// limit.
void Check(const YamlDocument& document, YamlNode node, int depth, std::string* out) {
  Require(node.source_offset() <= document.source().size(), "a place in the source");
  const Position position = node.position();
  Require(position.line > 0 && position.column > 0, "a position");
  switch (node.kind()) {
    case YamlKind::kScalar: {
      const std::string_view text = node.text();
      CheckText(text);
      Require(text.size() <= YamlLimits().max_scalar_bytes, "scalar size");
      *out += "=";
      *out += text;
      *out += '\0';
      // Places follow one another as the text does, and a copied character is found at its place.
      Position last = position;
      const size_t step = text.size() / 50 + 1;
      for (size_t i = 0; i <= text.size(); i += step) {
        const Position at = node.PositionInScalar(i);
        Require(!Before(at, last), "places in order");
        last = at;
      }
      break;
    }
    case YamlKind::kSequence: {
      Require(depth < YamlLimits().max_depth, "depth");
      *out += "[";
      size_t items = 0;
      for (const YamlNode item : node.items()) {
        Check(document, item, depth + 1, out);
        ++items;
      }
      Require(items == node.size(), "size of a sequence");
      *out += "]";
      break;
    }
    case YamlKind::kMapping: {
      Require(depth < YamlLimits().max_depth, "depth");
      *out += "{";
      std::set<std::string> keys;
      for (const auto [key, value] : node.members()) {
        Require(key.IsScalar() && !key.IsNull(), "keys are text");
        Require(keys.insert(std::string(key.text())).second, "keys are unique");
        Require(!(key.plain() && key.text() == "<<"), "no merge keys");
        Require(Before(key.position(), value.position()), "a value behind its key");
        Check(document, key, depth, out);
        Check(document, value, depth + 1, out);
      }
      Require(keys.size() == node.size(), "size of a mapping");
      *out += "}";
      break;
    }
  }
}

std::string Read(const std::string& input) {
  std::vector<Issue> issues;
  const std::optional<YamlDocument> document = ReadYaml("f", input, YamlLimits(), &issues);
  Require(document.has_value() == issues.empty(), "a document or issues");
  std::string out;
  Position last;
  for (const Issue& issue : issues) {
    const std::string line = ToString(issue);
    for (const uint32_t c : CodePoints(line)) Require(c >= 0x20 && c != 0x7F, "a safe message");
    Require(issue.position.line == 0 || !Before(issue.position, last), "issues in order");
    last = issue.position;
    out += line + "\n";
  }
  if (document.has_value()) {
    std::string source(document->source());
    for (size_t at; (at = source.find("\r\n")) != std::string::npos;) source.erase(at, 1);
    CheckText(source);
    Check(*document, document->root(), 0, &out);
  }
  return out;
}

}  // namespace
}  // namespace reeve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::string first = reeve::Read(input);
  reeve::Require(reeve::Read(input) == first, "the same answer twice");
  return 0;
}
